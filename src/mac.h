/*
 * mac.h
 *		Keyed digests under the keyring's mac keys.
 *
 * For what orla must recognise and nobody else may compute: rows of the audit
 * trail, device cookies, refresh tokens derived from their parent.  A digest
 * is HMAC-SHA256 over label and data, each with its length before it, so that
 * a digest made for one use is never one of another use.
 */
#ifndef ORLA_MAC_H
#define ORLA_MAC_H

#include "postgres.h"

#include "crypto.h"
#include "keyring.h"

/* key is one of the ring's for ORLA_KEY_MAC. */
extern void orla_mac(const OrlaKey *key, const char *label, size_t label_len,
					 const void *data, size_t n, uint8 digest[ORLA_SHA256_LEN]);

#endif							/* ORLA_MAC_H */
