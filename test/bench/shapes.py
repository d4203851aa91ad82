"""What is measured: shapes of queries, each in every way.

By hand, the tenant is a parameter of the statement.  In all other ways the
statement does not name the tenant, and a policy adds it.  {tenant} and {n}
are the tenant's id and number, wherever they stand.
"""
from dataclasses import dataclass

HAND, ORLA = 'by hand', 'orla'
# The name of each way, the role that picks it, and how the tenant is told.
_SETTING = "SELECT set_config('bench.tenant', '{tenant}', true)"
_CLAIMS = ("SELECT set_config('request.jwt.claims', bench.claims({n}, 'x')::text, true)")
_TENANT = "SELECT set_config('orla.tenant', '{tenant}', true)"
WAYS = {
    HAND: ('bench_by_hand', ''),
    ORLA: ('orla_user', _TENANT),
    'setting': ('bench_setting', _SETTING),
    '(SELECT setting)': ('bench_sub_select', _SETTING),
    'PL/pgSQL': ('bench_plpgsql', _SETTING),
    '(SELECT C)': ('bench_sub_select_c', _TENANT),
    'claims': ('bench_claims', _CLAIMS),
}


@dataclass
class Way:
    name: str
    role: str
    bind: str       # tells who the tenant is; '' for nothing to tell
    sql: str
    values: str     # a query for sets of parameters; '' for none


@dataclass
class Shape:
    name: str
    goal: float     # orla ÷ by hand, at most
    ways: list
    writes: bool = False


def shape(name, goal, by_hand, hand_values, fenced, fenced_values, writes=False):
    return Shape(name, goal, [
        Way(way, role, bind, by_hand if way == HAND else fenced, hand_values if way == HAND else fenced_values)
        for way, (role, bind) in WAYS.items()], writes)


_IDS = "FROM bench.note WHERE user_id = '{tenant}' ORDER BY md5(id::text) LIMIT 100"
_NEW = ("gen_random_uuid(), '2026-06-01'::timestamptz + i * interval '1 s', 'draft', i, 'What is new.' "
        "FROM generate_series(1, 500) AS i")
_ME = "SELECT '{tenant}'"


def of_one_tenant():
    return [
        shape('point read', 1.10,
              'SELECT created_at, status, amount, body FROM bench.note WHERE user_id = $1 AND id = $2',
              f'SELECT user_id, id {_IDS}',
              'SELECT created_at, status, amount, body FROM bench.note WHERE id = $1',
              f'SELECT id {_IDS}'),
        # The same statement by hand and fenced: the row says whose it is.
        Shape('insert', 1.10, [
            Way(way, role, bind, 'INSERT INTO bench.note VALUES ($1, $2, $3, $4, $5, $6)',
                f"SELECT '{{tenant}}', {_NEW}")
            for way, (role, bind) in WAYS.items()], writes=True),
        shape('update', 1.10,
              'UPDATE bench.note SET amount = amount + 1 WHERE user_id = $1 AND id = $2',
              f'SELECT user_id, id {_IDS}',
              'UPDATE bench.note SET amount = amount + 1 WHERE id = $1',
              f'SELECT id {_IDS}', writes=True),
        shape('list (newest 20)', 1.03,
              'SELECT id, created_at, status, amount, body FROM bench.note WHERE user_id = $1 '
              'ORDER BY created_at DESC LIMIT 20', _ME,
              'SELECT id, created_at, status, amount, body FROM bench.note '
              'ORDER BY created_at DESC LIMIT 20', ''),
        shape('count', 1.03,
              'SELECT count(*) FROM bench.note WHERE user_id = $1', _ME,
              'SELECT count(*) FROM bench.note', ''),
        shape('aggregate', 1.03,
              'SELECT status, count(*), sum(amount), max(created_at) FROM bench.note WHERE user_id = $1 GROUP BY status',
              _ME,
              'SELECT status, count(*), sum(amount), max(created_at) FROM bench.note GROUP BY status', ''),
        shape('join', 1.03,
              'SELECT n.body, c.body FROM bench.note AS n JOIN bench.comment AS c '
              'ON c.user_id = n.user_id AND c.note_id = n.id WHERE n.user_id = $1', _ME,
              'SELECT n.body, c.body FROM bench.note AS n JOIN bench.comment AS c '
              'ON c.user_id = n.user_id AND c.note_id = n.id', ''),
        shape('scan, no index', 1.03,
              'SELECT kind, count(*), sum(amount) FROM bench.event WHERE user_id = $1 GROUP BY kind', _ME,
              'SELECT kind, count(*), sum(amount) FROM bench.event GROUP BY kind', ''),
    ]


def of_an_analyst():
    granted = "SELECT array_agg(user_id) FROM orla.tenant_grants WHERE analyst = 'bench_login'"
    return [Shape("analyst's scan", 1.25, [
        Way(HAND, 'bench_by_hand', '',
            'SELECT kind, count(*), sum(amount) FROM bench.event WHERE user_id = ANY ($1) GROUP BY kind', granted),
        Way(ORLA, 'orla_analyst', '',
            'SELECT kind, count(*), sum(amount) FROM bench.event GROUP BY kind', '')])]


def of_many_tenants(tenants):
    """Where the number of tenants grows and a tenant's rows do not."""
    table = f'bench.of_{tenants}'
    ids = f"FROM {table} WHERE user_id = '{{tenant}}'"
    pairs = (
        ('point read', 1.10, 'SELECT created_at, amount FROM {t} WHERE user_id = $1 AND id = $2', f'SELECT user_id, id {ids}',
         'SELECT created_at, amount FROM {t} WHERE id = $1', f'SELECT id {ids}'),
        ('list', 1.03, 'SELECT id, created_at, amount FROM {t} WHERE user_id = $1 ORDER BY created_at DESC LIMIT 20', _ME,
         'SELECT id, created_at, amount FROM {t} ORDER BY created_at DESC LIMIT 20', ''),
        ('count', 1.03, 'SELECT count(*) FROM {t} WHERE user_id = $1', _ME, 'SELECT count(*) FROM {t}', ''))
    return [Shape(name, goal, [
        Way(HAND, *WAYS[HAND], by_hand.format(t=table), hand_values),
        Way(ORLA, *WAYS[ORLA], fenced.format(t=table), fenced_values)])
        for name, goal, by_hand, hand_values, fenced, fenced_values in pairs]


def of_search():
    """The policy's part of a search: the same function's query without one."""
    by_hand = ('SELECT c.id, c.title FROM orla.search_query($2, $3) AS question '
               'JOIN orla.content_library AS c ON c.search OPERATOR(orla.@@@) question WHERE c.user_id = $1 '
               'ORDER BY ts_rank(c.search, question) DESC, c.created_at DESC, c.id LIMIT 20')
    fenced = 'SELECT id, title FROM orla_api.search_content($1, $2) LIMIT 20'
    core = ('SELECT c.id, c.title FROM orla.search_query($1, $2) AS question '
            'JOIN orla.content_library AS c ON c.search @@ question '
            'ORDER BY ts_rank(c.search, question) DESC, c.created_at DESC, c.id LIMIT 20')
    found = []
    for name, query, tags in (('two words', 'w1500 w300', '{}'), ('a rare word', 'w15000', '{}'),
                              ('a word and a tag', 'w10', '{tag7}'), ('a tag', '', '{tag7}')):
        mine = f"SELECT '{query}', '{tags}'"
        found.append(Shape(name, 3.0, [
            Way(HAND, 'bench_by_hand', '', by_hand, f"SELECT '{{tenant}}', '{query}', '{tags}'"),
            Way(ORLA, 'orla_user', _TENANT, fenced, mine),
            Way('policy and @@', 'orla_user', _TENANT, core, mine)]))
    return found
