#include "store/store.h"

struct store_terms
store_terms_of(const struct settings *settings, const char *host)
{
	return (struct store_terms){
	    .host = host,
	    .half_life = settings->reputation.half_life,
	    .pending_life = settings->retry_window,
	    .worthy_life = settings->keep,
	    .abandoned_after = settings->retry_window,
	    .abandoned_points =
		settings->reputation.weights.points[REPUTATION_ABANDONED],
	    .network_cap = (size_t)settings->store.network_cap,
	    .memory_max = (size_t)settings->store.memory_max,
	};
}

bool
store_has_marks(const struct store_effects *effects)
{
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (effects->client_mark[space] != MARK_NONE)
			return true;
		for (size_t i = 0; i < effects->pair_count; i++)
			if (effects->marks[i][space] != MARK_NONE)
				return true;
	}
	return false;
}
