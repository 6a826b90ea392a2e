/* web -- pages about this filter: why a message was deferred, for whoever sent it;
 * the dashboard, for the postmaster; figures, for Prometheus.
 *
 * It runs in threads of its own, and nothing of mail waits for it. */
#ifndef WEB_H
#define WEB_H

#include "config/conf_report.h"
#include "session/shared.h"
#include "web/http.h"

struct web;

/* What it is told by whoever runs it. */
struct web_host {
	struct shared *shared;
	/* Whether the mail server can reach the filter; may be called at any
	 * time from web_start() to web_close(). */
	bool (*is_served)(void *arg);
	void *arg;
};

/* Say what of the files that the settings name will not do.  False: something. */
bool web_look(const struct settings *settings, conf_say *say, void *arg);

/* Take the port; what needs root is over then.  NULL: `why_r` tells. */
struct web *web_open(const struct http_terms *terms, char *why_r, size_t size);

/* Answer.  False: out of threads or memory. */
bool web_start(struct web *web, const struct web_host *host);

/* The end is near: /healthz says so from now on. */
void web_drain(struct web *web);

/* Waits for what is being answered. */
void web_close(struct web **web);

#endif
