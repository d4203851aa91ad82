/*
 * http_address.c
 *		What kind of place an address is.
 *
 * After the registries of special-purpose addresses (RFC 6890).  IPv6 is
 * turned round: what is not global unicast is special.
 */
#include "http_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

typedef struct Network
{
	uint8_t		bytes[6];
	int			bits;
	OrlaAddressClass class;
} Network;

/* The first that fits counts. */
static const Network networks4[] = {
	{{127}, 8, ORLA_ADDRESS_LOOPBACK},
	{{10}, 8, ORLA_ADDRESS_PRIVATE},
	{{172, 16}, 12, ORLA_ADDRESS_PRIVATE},
	{{192, 168}, 16, ORLA_ADDRESS_PRIVATE},
	{{100, 64}, 10, ORLA_ADDRESS_PRIVATE},	/* behind a provider's NAT */
	{{0}, 8, ORLA_ADDRESS_SPECIAL},	/* this network */
	{{169, 254}, 16, ORLA_ADDRESS_SPECIAL}, /* link-local, clouds' metadata */
	{{192, 0, 0}, 24, ORLA_ADDRESS_SPECIAL},
	{{192, 0, 2}, 24, ORLA_ADDRESS_SPECIAL},	/* documentation */
	{{192, 88, 99}, 24, ORLA_ADDRESS_SPECIAL},	/* 6to4 relays */
	{{198, 18}, 15, ORLA_ADDRESS_SPECIAL},	/* benchmarks */
	{{198, 51, 100}, 24, ORLA_ADDRESS_SPECIAL},
	{{203, 0, 113}, 24, ORLA_ADDRESS_SPECIAL},
	{{224}, 3, ORLA_ADDRESS_SPECIAL}	/* multicast, reserved, broadcast */
};

static const Network networks6[] = {
	{{0xfc}, 7, ORLA_ADDRESS_PRIVATE},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, ORLA_ADDRESS_SPECIAL},	/* documentation */
	{{0x20, 0x01, 0x00}, 23, ORLA_ADDRESS_SPECIAL}, /* Teredo and others */
	{{0x20, 0x02}, 16, ORLA_ADDRESS_SPECIAL},	/* 6to4: an IPv4 address inside */
	{{0x3f, 0xff, 0x00}, 20, ORLA_ADDRESS_SPECIAL}, /* documentation */
	{{0x20}, 3, ORLA_ADDRESS_PUBLIC}
};

static bool
lies_in(const uint8_t *address, const Network *network)
{
	int			whole = network->bits / 8;
	int			left = network->bits % 8;

	return memcmp(address, network->bytes, whole) == 0 &&
		(left == 0 || ((address[whole] ^ network->bytes[whole]) >> (8 - left)) == 0);
}

static OrlaAddressClass
class_in(const uint8_t *address, const Network *networks, size_t n, OrlaAddressClass other)
{
	size_t		i;

	for (i = 0; i < n; i++)
	{
		if (lies_in(address, &networks[i]))
			return networks[i].class;
	}
	return other;
}

static OrlaAddressClass
class4(const uint8_t *address)
{
	return class_in(address, networks4, sizeof(networks4) / sizeof(networks4[0]),
					ORLA_ADDRESS_PUBLIC);
}

static OrlaAddressClass
class6(const uint8_t *address)
{
	static const uint8_t loopback[16] = {[15] = 1};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

	if (memcmp(address, loopback, sizeof(loopback)) == 0)
		return ORLA_ADDRESS_LOOPBACK;
	/* Where there is IPv6 alone, this is how IPv4 is reached. */
	if (memcmp(address, nat64, sizeof(nat64)) == 0)
		return class4(address + 12) == ORLA_ADDRESS_PUBLIC ? ORLA_ADDRESS_PUBLIC
			: ORLA_ADDRESS_SPECIAL;
	return class_in(address, networks6, sizeof(networks6) / sizeof(networks6[0]),
					ORLA_ADDRESS_SPECIAL);
}

OrlaAddressClass
orla_address_class(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return class4((const uint8_t *) &((const struct sockaddr_in *) address)->sin_addr);
	if (address->sa_family == AF_INET6)
		return class6((const uint8_t *) &((const struct sockaddr_in6 *) address)->sin6_addr);
	return ORLA_ADDRESS_SPECIAL;
}

OrlaAddressClass
orla_address_class_of(const char *address)
{
	uint8_t		bytes[16];

	if (inet_pton(AF_INET, address, bytes) == 1)
		return class4(bytes);
	if (inet_pton(AF_INET6, address, bytes) == 1)
		return class6(bytes);
	return ORLA_ADDRESS_SPECIAL;
}
