/*
 * setting_parse.h
 *		Which values the settings that are texts may have.
 *
 * Each returns NULL for a good value, else a sentence for the DETAIL of the
 * refusal.  Pure C, no allocation, usable without a server.
 */
#ifndef ORLA_SETTING_PARSE_H
#define ORLA_SETTING_PARSE_H

/* orla.public_url */
extern const char *orla_public_url_problem(const char *url);

/* orla.audience, orla.issuer */
extern const char *orla_claim_text_problem(const char *text);

/* orla.client_address_header */
extern const char *orla_header_name_problem(const char *name);

/* orla.extract_pdf, orla.extract_python */
extern const char *orla_program_problem(const char *path);

#endif							/* ORLA_SETTING_PARSE_H */
