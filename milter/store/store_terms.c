/* What the settings say of a store, which waits for the next start. */
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
