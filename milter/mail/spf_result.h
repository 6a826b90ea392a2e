/* spf_result -- what SPF says of a client and a domain (RFC 7208 2.6).  Pure. */
#ifndef SPF_RESULT_H
#define SPF_RESULT_H

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR, /* the DNS failed: nothing is known */
	SPF_PERMERROR
};
#define SPF_RESULTS 7

/* By result, as they are written in Received-SPF fields. */
static const char *const spf_result_names[SPF_RESULTS] = {
    "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};

#endif
