/* settings -- every setting outside the rules, as the rest of the program reads it.
 *
 * One table describes them all (config/settings.h).  To add one: add its member
 * here, its row in config/settings_table.c, its paragraph in milter-defer.conf(5)
 * and the sample file. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/reputation.h"

enum identity { IDENTITY_POOL, IDENTITY_NETWORK, IDENTITY_ADDRESS };
enum farm_load { FARM_MEAN, FARM_MAX, FARM_OWN };
enum redis_layout { LAYOUT_SINGLE, LAYOUT_SENTINEL, LAYOUT_CLUSTER };

/* Strings and lists are owned by the struct; a list ends with NULL.  A string
 * that is not set is "".  Durations are seconds unless the name says ms. */
struct settings {
	char *socket;
	int64_t socket_mode;
	char *socket_group;
	char *user;
	char *pid_file;
	char *control;
	int64_t log; /* enum log_target */
	char *log_facility;
	bool log_accepted;
	int64_t log_summary; /* 0: none */
	char *server_name;
	char *link;
	char *passed_header; /* its name; "": none */
	bool observe;
	char *secret_file;

	int64_t identity;     /* enum identity */
	int64_t network_ipv4; /* bits */
	int64_t network_ipv6;
	int64_t delay;
	int64_t retry_window;
	int64_t keep;
	bool carry_recipients;
	int64_t known_after; /* passed triplets */
	int64_t delay_cap;   /* 0: none */
	double hide_wait_below;

	struct {
		char **servers;
		int64_t mode; /* enum redis_layout */
		char *master_name;
		char *user;
		char *password_file;
		char *sentinel_user;
		char *sentinel_password_file;
		int64_t database;
		bool tls;
		char *tls_ca_file;
		char *tls_cert_file;
		char *tls_key_file;
		char *tls_name;
		char *prefix;
		int64_t deadline_ms;
		int64_t connect_ms;
	} redis;

	struct {
		int64_t memory_max; /* octets */
		int64_t network_cap;
		char *file; /* "": nothing is saved */
		int64_t save_every;
		int64_t remember_good; /* while the store is away */
	} store;

	struct {
		int64_t entries; /* 0: there is no journal */
		int64_t age;
	} journal;

	struct {
		char **servers;
		int64_t timeout_ms;
		int64_t patience_ms;
		bool share; /* answers, with other servers */
		int64_t answers_max;
		int64_t memory_max; /* octets */
	} dns;

	struct {
		char *country_file;
		char *asn_file;
	} geo;

	struct {
		double average; /* load average per CPU that counts as 1.0 */
		double pressure_cpu;
		double pressure_io;
		double pressure_memory;
		int64_t sessions;
		char *queue_directory;
		int64_t queue_messages;
		char *disk_directory;
		double disk_free; /* share of space, inodes; counts as 1.0 */
		char *figure_file;
		int64_t figure_age;
		int64_t farm; /* enum farm_load */
		double hysteresis;
		int64_t dwell;
		int64_t silent_after;
	} load;

	struct {
		int64_t half_life;
		double prior;
		double poor_below;
		struct reputation_weights weights; /* of events */
		double message_cap;
		char **spam_headers;
		char **ham_headers;
		char *reports_file;
	} reputation;

	struct {
		char *listen; /* "": no pages at all */
		int64_t connections;
		int64_t connections_per_address;
		int64_t timeout;
		char **proxies;
		char *proxy_header;
		char **hosts;
		char **metrics_to; /* networks */
		int64_t lookups;   /* of one visitor in a minute */
		char *contact;
		char *texts; /* a directory */
		bool release;
		char *expect_file;
		char *users_file;
		int64_t refresh;
	} web;
};

#define DNS_SERVERS_MAX 8

#endif
