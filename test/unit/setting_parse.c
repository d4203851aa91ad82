/*
 * setting_parse.c
 *		src/setting_parse.c: which values the settings that are texts may have.
 */
#include "setting_parse.h"

#include "tap.h"

typedef struct Case
{
	const char *value;
	bool		good;
} Case;

static const Case urls[] = {
	{"http://localhost:3000", true},
	{"https://example.org", true},
	{"https://example.org/app", true},
	{"https://ex\xc3\xa4mple.org", true},
	{"", false},
	{"h", false},
	{"http:", false},
	{"http://", false},
	{"https://", false},
	{"example.org", false},
	{"ftp://example.org", false},
	{"HTTPS://example.org", false},
	{"javascript:alert(1)", false},
	{"https://example.org/", false},
	{"https://example.org?a=b", false},
	{"https://example.org#a", false},
	{"https://example.org/a b", false},
	{"https://example.org/\n", false},
	{"https://example.org/\x7f", false},
	{"https://example.org/\"", false},
	{"https://example.org/<b>", false},
	{"https://example.org\\", false},
	{" https://example.org", false}
};

static const Case claim_texts[] = {
	{"orla", true},
	{"https://example.org/", true},
	{"a", true},
	{"", false},
	{"a b", false},
	{"a\"b", false},
	{"a\\b", false},
	{"a\nb", false},
	{"a\x7f", false},
	{"\xc3\xa4", false}
};

static const Case header_names[] = {
	{"", true},
	{"x-forwarded-for", true},
	{"cf-connecting-ip", true},
	{"X-Forwarded-For", false},
	{"x_forwarded_for", false},
	{"x-forwarded-for ", false},
	{"x:y", false},
	{"\xc3\xa4", false}
};

static const Case programs[] = {
	{"", true},
	{"/usr/bin/pdftotext", true},
	{"pdftotext", false},
	{"./pdftotext", false},
	{" /usr/bin/pdftotext", false}
};

static void
check(const char *setting, const Case *value, const char *problem)
{
	ok((problem == NULL) == value->good &&
	   (problem == NULL || problem[strlen(problem) - 1] == '.'),
	   "%s: value of %zu octets %s", setting, strlen(value->value),
	   problem == NULL ? "is good" : problem);
}

int
main(void)
{
	char		longest[202];
	size_t		i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		check("public_url", &urls[i], orla_public_url_problem(urls[i].value));
	for (i = 0; i < sizeof(claim_texts) / sizeof(claim_texts[0]); i++)
		check("audience", &claim_texts[i], orla_claim_text_problem(claim_texts[i].value));
	for (i = 0; i < sizeof(header_names) / sizeof(header_names[0]); i++)
		check("client_address_header", &header_names[i],
			  orla_header_name_problem(header_names[i].value));
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		check("extract_pdf", &programs[i], orla_program_problem(programs[i].value));

	memset(longest, 'a', sizeof(longest));
	longest[201] = '\0';
	ok(orla_claim_text_problem(longest) != NULL, "audience: 201 characters");
	longest[200] = '\0';
	ok(orla_claim_text_problem(longest) == NULL, "audience: 200 characters");
	return done_testing();
}
