#include "policy/standing.h"

/* Neighbours cannot take from a client what it has earned itself, and lend it
 * nothing: what is good of them only makes up for what is bad. */
static void
mind_neighbours(const struct reputation_sums *host, bool is_trusted,
    struct reputation_sums *network)
{
	double bad = network->bad - host->bad;

	if (is_trusted || bad < 0)
		bad = 0;
	network->bad = host->bad + bad;
	if (network->good > host->good + bad)
		network->good = host->good + bad;
}

void
standing_of(const struct settings *settings, const struct reputation_sums *host,
    const struct reputation_sums *network, int64_t passes,
    struct standing *standing_r)
{
	bool is_trusted =
	    settings->known_after > 0 && passes >= settings->known_after;
	struct reputation_sums around = *network;

	if (settings->identity != IDENTITY_NETWORK)
		mind_neighbours(host, is_trusted, &around);
	standing_r->score =
	    reputation_score(host, &around, settings->reputation.prior);
	standing_r->is_poor =
	    standing_r->score < settings->reputation.poor_below;
	standing_r->known = is_trusted && !standing_r->is_poor;
}
