#include "redis/map.h"

#include <stdio.h>
#include <string.h>

/* Bit by bit: keys are short. */
static unsigned
crc16(const char *bytes, size_t length)
{
	unsigned crc = 0;

	for (size_t i = 0; i < length; i++) {
		crc ^= (unsigned)(unsigned char)bytes[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc << 1) ^ (crc & 0x8000 ? 0x11021 : 0);
	}
	return crc;
}

unsigned
redis_slot(const char *key)
{
	const char *open = strchr(key, '{');
	const char *close = open != NULL ? strchr(open, '}') : NULL;

	if (close != NULL && close > open + 1)
		return crc16(open + 1, (size_t)(close - open) - 1) %
		    REDIS_SLOTS;
	return crc16(key, strlen(key)) % REDIS_SLOTS;
}

/* A node is (host, port, id, ...); the host may be nil or empty. */
static bool
read_node(const struct resp_reply *node, const struct redis_address *asked,
    struct redis_address *address_r)
{
	size_t length = 0;
	const char *host = resp_string(resp_element(node, 0), &length);
	int64_t port;
	char digits[24];

	if (!resp_integer(resp_element(node, 1), &port))
		return false;
	(void)snprintf(digits, sizeof digits, "%lld", (long long)port);
	if (host == NULL || length == 0) {
		host = asked->host;
		length = strlen(host);
	}
	return redis_address_make(host, length, digits, address_r);
}

static uint8_t
find_or_add(struct redis_map *map, const struct redis_address *address)
{
	size_t i = 0;

	while (i < map->count && !redis_address_equals(&map->nodes[i], address))
		i++;
	if (i == REDIS_NODES)
		return REDIS_NO_NODE;
	if (i == map->count)
		map->nodes[map->count++] = *address;
	return (uint8_t)i;
}

/* A range is (first slot, last slot, master, replicas ...). */
static bool
read_range(const struct resp_reply *range, const struct redis_address *asked,
    struct redis_map *map)
{
	int64_t first;
	int64_t last;
	struct redis_address master;
	uint8_t owner;

	if (!resp_integer(resp_element(range, 0), &first) ||
	    !resp_integer(resp_element(range, 1), &last) || first < 0 ||
	    first > last || last >= REDIS_SLOTS ||
	    !read_node(resp_element(range, 2), asked, &master))
		return false;
	owner = find_or_add(map, &master);
	memset(map->owner + first, owner, (size_t)(last - first) + 1);
	return owner != REDIS_NO_NODE;
}

bool
redis_map_read(const struct resp_reply *reply,
    const struct redis_address *asked, struct redis_map *map_r)
{
	bool is_served = false;

	map_r->count = 0;
	memset(map_r->owner, REDIS_NO_NODE, sizeof map_r->owner);
	for (size_t i = 0; i < resp_count(reply); i++)
		if (read_range(resp_element(reply, i), asked, map_r))
			is_served = true;
	return is_served;
}
