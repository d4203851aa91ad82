/*
 * settings.h
 *		The plain settings of orla; src/settings.c says what each is for.
 *
 * The two settings that guard something, orla.tenant and orla.narrow_to, are
 * defined by the modules that guard them (tenant.c, analyst.c).
 */
#ifndef ORLA_SETTINGS_H
#define ORLA_SETTINGS_H

#include "postgres.h"

extern int	orla_access_token_lifetime; /* seconds */
extern bool orla_allow_drop;
extern bool orla_allow_loopback_http;
extern char *orla_audience;
extern char *orla_ca_file;
extern char *orla_client_address_header;
extern char *orla_databases;	/* a list of names */
extern int	orla_extract_memory;	/* kB */
extern char *orla_extract_pdf;
extern char *orla_extract_python;
extern int	orla_extract_size;	/* kB */
extern int	orla_extract_timeout;	/* milliseconds */
extern int	orla_http_connect_timeout;	/* milliseconds */
extern char *orla_http_proxy;
extern int	orla_http_timeout;	/* milliseconds */
extern char *orla_issuer;
extern int	orla_job_retention; /* seconds */
extern int	orla_job_timeout;	/* seconds */
extern int	orla_key_activation_delay;	/* seconds */
extern char *orla_keyring_command;
extern char *orla_keyring_file;
extern int	orla_lockout_duration;	/* seconds */
extern int	orla_max_concurrent_extracts;
extern int	orla_max_concurrent_hashes;
extern int	orla_max_download;	/* kB */
extern int	orla_max_failed_sign_ins;
extern int	orla_max_jobs;
extern int	orla_max_jobs_per_tenant;
extern int	orla_max_queued_jobs;
extern int	orla_max_material;	/* kB */
extern int	orla_max_requests_in_flight;
extern int	orla_max_upload;	/* kB */
extern int	orla_password_memory;	/* kB */
extern int	orla_password_passes;
extern char *orla_private_hosts;	/* host:port, … */
extern char *orla_public_url;
extern int	orla_refresh_grace; /* seconds */
extern int	orla_refresh_margin;	/* seconds */
extern int	orla_refresh_token_lifetime;	/* seconds */
extern int	orla_reset_lifetime;	/* seconds */
extern int	orla_sign_in_floor; /* milliseconds */
extern int	orla_signing_algorithm; /* an OrlaAlg of crypto_key.h */
extern int	orla_verification_lifetime; /* seconds */

extern void orla_settings_init(void);

#endif							/* ORLA_SETTINGS_H */
