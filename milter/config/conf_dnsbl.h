/* conf_dnsbl -- the options of a section dnsbl. */
#ifndef CONF_DNSBL_H
#define CONF_DNSBL_H

#include "policy/settings.h"

struct dnsbl_options {
	char **zones;
	int64_t of; /* enum dnsbl_of */
	bool alone;
	bool test_entry;
};

/* With offsets into the struct above. */
extern const struct setting dnsbl_option_table[];
extern const size_t dnsbl_option_count;

#endif
