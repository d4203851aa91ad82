/*
 * http_policy.c
 *		src/http_policy.c and src/http_address.c: urls that have two readings,
 *		lists of hosts, addresses behind which something hides, headers.
 */
#include "http_policy.h"

#include "tap.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What comes out; NULL: refused. */
typedef struct UrlCase
{
	const char *text;
	const char *printed;
} UrlCase;

static const UrlCase urls[] = {
	{"https://www.googleapis.com/drive/v3/files?q='x'%20in%20parents", "https://www.googleapis.com:443/drive/v3/files?q='x'%20in%20parents"},
	{"https://a.example", "https://a.example:443/"},
	{"https://a.example?x=/../", "https://a.example:443/?x=/../"},
	{"HTTPS://A.ExAmple/P", "https://a.example:443/P"},
	{"https://a.example:443/", "https://a.example:443/"},
	{"https://a.example:65535/", "https://a.example:65535/"},
	{"https://a.example/user@host:80/%2f//.hidden/..a/...", "https://a.example:443/user@host:80/%2f//.hidden/..a/..."},
	{"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443/"},
	{"https://[2606:4700::0001]:8443/", "https://[2606:4700::1]:8443/"},
	{"https://[::FFFF:127.0.0.1]/", "https://[::ffff:127.0.0.1]:443/"},
	{"http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"},
	{"http://localhost", "http://localhost:80/"},
	{"smtp://mail.example:587", "smtp://mail.example:587/"},
	{"smtps://mail.example", "smtps://mail.example:465/"},
	{"https://a-b.c1.example/a{b}|c^`", "https://a-b.c1.example:443/a{b}|c^`"},

	{"", NULL},
	{"https", NULL},
	{"https:", NULL},
	{"https:/a.example", NULL},
	{"https://", NULL},
	{"https:///a.example", NULL},
	{"//a.example/", NULL},
	{"a.example", NULL},
	{"file:///etc/passwd", NULL},
	{"ftp://a.example/", NULL},
	{"gopher://a.example:25/_x", NULL},
	{"dict://a.example/", NULL},
	{"unix:///run/x", NULL},
	{" https://a.example/", NULL},
	{"https://a.example/ ", NULL},
	{"https://a.example/a b", NULL},
	{"https://a.example/\r\nX: y", NULL},
	{"https://a.example/\tx", NULL},
	{"https://a.example\n/", NULL},
	{"https://a.example/\x7f", NULL},
	{"https://a.example/\xc3\xa4", NULL},
	{"https://\xc3\xa4.example/", NULL},
	{"https://\xef\xbd\x81.example/", NULL},
	{"https://user@a.example/", NULL},
	{"https://user:pass@a.example/", NULL},
	{"https://a.example@evil.example/", NULL},
	{"https://a.example:443@evil.example/", NULL},
	{"https://a.example#@evil.example/", NULL},
	{"https://a.example\\@evil.example/", NULL},
	{"https://a.example\\.evil.example/", NULL},
	{"https:\\\\a.example/", NULL},
	{"https://a.example/#x", NULL},
	{"https://a.example#", NULL},
	{"https://a.example./", NULL},
	{"https://.a.example/", NULL},
	{"https://a..example/", NULL},
	{"https://-a.example/", NULL},
	{"https://a-.example/", NULL},
	{"https://a_b.example/", NULL},
	{"https://a%2eexample/", NULL},
	{"https://a.example%00.evil.example/", NULL},
	{"https://a.example;evil/", NULL},
	{"https://a.example,evil/", NULL},
	{"https://*.example/", NULL},
	{"https://a.example:/", NULL},
	{"https://a.example:0/", NULL},
	{"https://a.example:0443/", NULL},
	{"https://a.example:65536/", NULL},
	{"https://a.example:443x/", NULL},
	{"https://a.example:-1/", NULL},
	{"https://a.example:443:443/", NULL},
	{"https://2130706433/", NULL},
	{"https://0x7f000001/", NULL},
	{"https://0x7f.0.0.1/", NULL},
	{"https://0177.0.0.1/", NULL},
	{"https://127.1/", NULL},
	{"https://127.0.0.01/", NULL},
	{"https://127.0.0.1./", NULL},
	{"https://127.0.0.256/", NULL},
	{"https://1.2.3.4.5/", NULL},
	{"https://a.0x1/", NULL},
	{"https://a.1/", NULL},
	{"https://::1/", NULL},
	{"https://[::1/", NULL},
	{"https://[::1]x/", NULL},
	{"https://[::1%25lo]/", NULL},
	{"https://[::1%lo]/", NULL},
	{"https://[127.0.0.1]/", NULL},
	{"https://[v1.x]/", NULL},
	{"https://[]/", NULL},
	{"https://[", NULL},
	{"https://a.example/../x", NULL},
	{"https://a.example/x/..", NULL},
	{"https://a.example/x/./y", NULL},
	{"https://a.example/x/..?y", NULL},
	{"https://a.example/%2e%2E/x", NULL},
	{"https://a.example/.%2e", NULL},
	{"https://a.example/%2e", NULL},
	{"https://a.example/%", NULL},
	{"https://a.example/%zz", NULL},
	{"https://a.example/%a", NULL},
	{"https://a.example/\"", NULL},
	{"https://a.example/<x>", NULL}
};

typedef struct HostCase
{
	const char *pattern;
	const char *url;
	bool		matches;
} HostCase;

static const HostCase hosts[] = {
	{"a.example", "https://a.example/", true},
	{"a.example", "https://A.EXAMPLE/", true},
	{"a.example", "https://b.a.example/", false},
	{"a.example", "https://a.example.evil.test/", false},
	{"a.example", "https://evil-a.example/", false},
	{"A.example", "https://a.example/", false},
	{"*.a.example", "https://b.a.example/", true},
	{"*.a.example", "https://c.b.a.example/", true},
	{"*.a.example", "https://a.example/", false},
	{"*.a.example", "https://evila.example/", false},
	{"*.a.example", "https://b.a.example.evil.test/", false},
	{"*.example", "https://a.example/", false},
	{"*", "https://a.example/", false},
	{"*.", "https://a.example/", false},
	{"*.*.example", "https://a.b.example/", false},
	{"b.*.example", "https://b.a.example/", false},
	{"**.a.example", "https://b.a.example/", false},
	{"", "https://a.example/", false},
	{"a.example.", "https://a.example/", false},
	{"https://a.example", "https://a.example/", false},
	{"a.example:443", "https://a.example/", false},
	{"127.0.0.1", "http://127.0.0.1/", true},
	{"*.0.0.1", "http://127.0.0.1/", false},
	{"127.1", "http://127.0.0.1/", false},
	{"[::1]", "http://[::1]/", true},
	{"[::1]", "http://[0:0::0:1]/", true},
	{"[0::1]", "http://[::1]/", false},
	{"::1", "http://[::1]/", false},
	{"[::1]x", "http://[::1]/", false},
	{"[::1", "http://[::1]/", false}
};

typedef struct AddressCase
{
	const char *address;
	OrlaAddressClass class;
} AddressCase;

static const AddressCase addresses[] = {
	{"8.8.8.8", ORLA_ADDRESS_PUBLIC},
	{"1.0.0.0", ORLA_ADDRESS_PUBLIC},
	{"9.255.255.255", ORLA_ADDRESS_PUBLIC},
	{"11.0.0.0", ORLA_ADDRESS_PUBLIC},
	{"100.63.255.255", ORLA_ADDRESS_PUBLIC},
	{"100.128.0.0", ORLA_ADDRESS_PUBLIC},
	{"126.255.255.255", ORLA_ADDRESS_PUBLIC},
	{"128.0.0.0", ORLA_ADDRESS_PUBLIC},
	{"169.253.255.255", ORLA_ADDRESS_PUBLIC},
	{"172.15.255.255", ORLA_ADDRESS_PUBLIC},
	{"172.32.0.0", ORLA_ADDRESS_PUBLIC},
	{"192.167.255.255", ORLA_ADDRESS_PUBLIC},
	{"192.169.0.0", ORLA_ADDRESS_PUBLIC},
	{"198.17.255.255", ORLA_ADDRESS_PUBLIC},
	{"198.20.0.0", ORLA_ADDRESS_PUBLIC},
	{"223.255.255.255", ORLA_ADDRESS_PUBLIC},
	{"2606:4700::1111", ORLA_ADDRESS_PUBLIC},
	{"2a00:1450::1", ORLA_ADDRESS_PUBLIC},
	{"64:ff9b::808:808", ORLA_ADDRESS_PUBLIC},
	{"127.0.0.1", ORLA_ADDRESS_LOOPBACK},
	{"127.255.255.254", ORLA_ADDRESS_LOOPBACK},
	{"::1", ORLA_ADDRESS_LOOPBACK},
	{"10.0.0.1", ORLA_ADDRESS_PRIVATE},
	{"10.255.255.255", ORLA_ADDRESS_PRIVATE},
	{"172.16.0.1", ORLA_ADDRESS_PRIVATE},
	{"172.31.255.255", ORLA_ADDRESS_PRIVATE},
	{"192.168.1.1", ORLA_ADDRESS_PRIVATE},
	{"100.64.0.1", ORLA_ADDRESS_PRIVATE},
	{"100.127.255.255", ORLA_ADDRESS_PRIVATE},
	{"fd00:ec2::254", ORLA_ADDRESS_PRIVATE},
	{"fc00::1", ORLA_ADDRESS_PRIVATE},
	{"0.0.0.0", ORLA_ADDRESS_SPECIAL},
	{"169.254.169.254", ORLA_ADDRESS_SPECIAL},
	{"192.0.0.192", ORLA_ADDRESS_SPECIAL},
	{"192.0.2.1", ORLA_ADDRESS_SPECIAL},
	{"192.88.99.1", ORLA_ADDRESS_SPECIAL},
	{"198.18.0.1", ORLA_ADDRESS_SPECIAL},
	{"198.19.255.255", ORLA_ADDRESS_SPECIAL},
	{"198.51.100.1", ORLA_ADDRESS_SPECIAL},
	{"203.0.113.1", ORLA_ADDRESS_SPECIAL},
	{"224.0.0.1", ORLA_ADDRESS_SPECIAL},
	{"240.0.0.1", ORLA_ADDRESS_SPECIAL},
	{"255.255.255.255", ORLA_ADDRESS_SPECIAL},
	{"::", ORLA_ADDRESS_SPECIAL},
	{"::2", ORLA_ADDRESS_SPECIAL},
	{"::ffff:8.8.8.8", ORLA_ADDRESS_SPECIAL},
	{"::ffff:127.0.0.1", ORLA_ADDRESS_SPECIAL},
	{"::127.0.0.1", ORLA_ADDRESS_SPECIAL},
	{"64:ff9b::7f00:1", ORLA_ADDRESS_SPECIAL},
	{"64:ff9b::a00:1", ORLA_ADDRESS_SPECIAL},
	{"64:ff9b:1::808:808", ORLA_ADDRESS_SPECIAL},
	{"2002:7f00:1::1", ORLA_ADDRESS_SPECIAL},
	{"2001::1", ORLA_ADDRESS_SPECIAL},
	{"2001:db8::1", ORLA_ADDRESS_SPECIAL},
	{"3fff::1", ORLA_ADDRESS_SPECIAL},
	{"fe80::1", ORLA_ADDRESS_SPECIAL},
	{"fec0::1", ORLA_ADDRESS_SPECIAL},
	{"ff02::1", ORLA_ADDRESS_SPECIAL},
	{"4000::1", ORLA_ADDRESS_SPECIAL},
	{"a.example", ORLA_ADDRESS_SPECIAL},
	{"", ORLA_ADDRESS_SPECIAL}
};

static const char *const good_names[] = {"Accept", "x-goog-x", "Dropbox-API-Arg", "Authorization", "Content-Type"};
static const char *const bad_names[] = {"", "Host", "HOST", "content-length", "Transfer-Encoding", "Connection",
	"Proxy-Authorization", "Upgrade", "Expect", "a b", "a:", "a\r", "a\nb", "\xc3\xa4", "(x)"};
static const char *const good_values[] = {"", "a", "a\tb", "{\"path\": \"/\"}", "\xc3\xa4", "\xff"};
static const char *const bad_values[] = {"a\r\nX: y", "a\nb", "a\rb", "\x01", "a\x7f"};
static const char *const good_mail[] = {"ada@example.org", "a+b'c@x", "\xc3\xa4@example.org", "a@b@c"};
static const char *const bad_mail[] = {"", "ada", "@x", "ada@", "a b@x", "a@x>", "<a@x>", "a@x\r\nRCPT TO:<b@y>",
	"a@x,b@y", "a\n@x", "\"a\"@x", "a@x;"};
static const char *const good_proxies[] = {"", "http://proxy.example:3128", "https://10.0.0.1:8443", "http://user:p%40ss@proxy.example:3128", "http://[::1]:3128"};
static const char *const bad_proxies[] = {"proxy", "proxy.example:3128", "socks5://proxy.example:1080", "http://proxy.example", "http://proxy.example:3128/x",
	"http://proxy example:3128", "http://:3128", "file:///x", "http://127.1:3128"};

static void
check_urls(void)
{
	static char longest[ORLA_URL_MAX + 2];
	char		printed[ORLA_URL_MAX + 64];
	OrlaUrl		url;
	OrlaUrl		again;
	size_t		i;

	for (i = 0; i < N(urls); i++)
	{
		const char *problem = orla_url_parse(urls[i].text, &url);

		if (urls[i].printed == NULL)
			ok(problem != NULL, "url %zu is refused: %s", i, problem ? problem : urls[i].text);
		else
			ok(problem == NULL && orla_url_print(&url, printed, sizeof(printed)) &&
			   strcmp(printed, urls[i].printed) == 0 &&
			   orla_url_parse(printed, &again) == NULL && strcmp(again.host, url.host) == 0,
			   "url %zu reads as %s", i, urls[i].printed);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "https://a/", 10);
	ok(orla_url_parse(longest, &url) != NULL, "a url that is too long");
	longest[ORLA_URL_MAX] = '\0';
	ok(orla_url_parse(longest, &url) == NULL && orla_url_print(&url, printed, sizeof(printed)) &&
	   !orla_url_print(&url, printed, 100), "the longest one");
}

static void
check_host_length(void)
{
	char		text[512] = "https://";
	char		label[65];
	OrlaUrl		url;
	int			i;

	memset(label, 'a', 64);
	label[64] = '\0';
	strcat(text, label);
	ok(orla_url_parse(text, &url) != NULL, "a label of 64 characters");
	text[8 + 63] = '\0';
	ok(orla_url_parse(text, &url) == NULL, "a label of 63");
	for (i = 0; i < 3; i++)
	{
		strcat(text, ".");
		strncat(text, label, 63);
	}
	ok(orla_url_parse(text, &url) != NULL, "a host of 255 characters");
	text[8 + 253] = '\0';
	ok(orla_url_parse(text, &url) == NULL, "a host of 253");
}

static const char *const good_places[] = {
	"", "  ", "models.internal:11434", "10.0.0.5:8000,10.0.0.6:8000", "a:1 , [fd00::1]:65535,", "127.0.0.1:80"
};
static const char *const bad_places[] = {
	"models.internal", "models.internal:", "models.internal:0", "models.internal:65536", "http://a:80",
	"a:80/", "a:80?x", "a:80/v1", "*.internal:80", "*:80", "user@a:80", "[fd00::1]", "[fd00::1", "fd00::1:80",
	"10.1:80", "0x7f.1:80", "a:80;b:80", "a:80, b", "a\n:80", ":80",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"
};
static const struct
{
	const char *url;
	const char *list;
	bool		is_listed;
}			listed[] = {
	{"http://models.internal:11434/v1", "models.internal:11434", true},
	{"https://MODELS.internal:11434/v1", "other:1, Models.Internal:11434", true},
	{"http://10.0.0.5/v1", "10.0.0.5:80", true},
	{"https://10.0.0.5/v1", "10.0.0.5:443", true},
	{"http://[fd00:0:0::1]:8000/", "[fd00::1]:8000", true},
	{"http://10.0.0.5/v1", "", false},
	{"http://10.0.0.5/v1", "10.0.0.5:443", false},
	{"http://10.0.0.5:8000/v1", "10.0.0.5:800", false},
	{"http://10.0.0.5:8000/v1", "10.0.0.51:8000 10.0.0:8000", false},
	{"http://x.models.internal:80/", "models.internal:80", false},
	{"http://models.internal:80/", "x.models.internal:80", false},
	{"http://a:80/", "nonsense, a", false},
	{"http://a:80/", "nonsense, a:80", true}
};

#define CHECK_ALL(list, call, expected, what) \
	do { \
		size_t		at; \
		for (at = 0; at < N(list); at++) \
		{ \
			const char *value = (list)[at]; \
			ok((call) == (expected), "%s %zu is %s", what, at, (expected) ? "good" : "refused"); \
		} \
	} while (0)

int
main(void)
{
	OrlaUrl		url;
	size_t		i;

	check_urls();
	check_host_length();
	for (i = 0; i < N(hosts); i++)
		ok(orla_url_parse(hosts[i].url, &url) == NULL &&
		   orla_host_matches(&url, hosts[i].pattern) == hosts[i].matches,
		   "%s is %s by %s", hosts[i].url, hosts[i].matches ? "covered" : "not covered", hosts[i].pattern);
	for (i = 0; i < N(addresses); i++)
		ok(orla_address_class_of(addresses[i].address) == addresses[i].class,
		   "address \"%s\" is of class %d", addresses[i].address, addresses[i].class);
	CHECK_ALL(good_names, orla_http_header_name_is_good(value), true, "header name");
	CHECK_ALL(bad_names, orla_http_header_name_is_good(value), false, "header name");
	CHECK_ALL(good_values, orla_http_header_value_is_good(value), true, "header value");
	CHECK_ALL(bad_values, orla_http_header_value_is_good(value), false, "header value");
	CHECK_ALL(good_mail, orla_mail_address_is_good(value), true, "mail address");
	CHECK_ALL(bad_mail, orla_mail_address_is_good(value), false, "mail address");
	CHECK_ALL(good_proxies, orla_http_proxy_problem(value) == NULL, true, "proxy");
	CHECK_ALL(bad_proxies, orla_http_proxy_problem(value) == NULL, false, "proxy");
	CHECK_ALL(good_places, orla_private_hosts_problem(value) == NULL, true, "list of places");
	CHECK_ALL(bad_places, orla_private_hosts_problem(value) == NULL, false, "list of places");
	for (i = 0; i < N(listed); i++)
		ok(orla_url_parse(listed[i].url, &url) == NULL &&
		   orla_host_is_listed(&url, listed[i].list) == listed[i].is_listed,
		   "%s is %s \"%s\"", listed[i].url, listed[i].is_listed ? "in" : "not in", listed[i].list);
	ok(orla_http_bearer_is_good("sl.abc", 6) && !orla_http_bearer_is_good("", 0) &&
	   !orla_http_bearer_is_good("a\r\nX: y", 7) && !orla_http_bearer_is_good("a b", 3) &&
	   !orla_http_bearer_is_good("a\0b", 3) && !orla_http_bearer_is_good("\xc3\xa4", 2),
	   "bearers");
	return done_testing();
}
