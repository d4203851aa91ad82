"""What tokens cost: statements of one call each, less the same without it.

Tokens are more than a backend remembers, so that each is new to it, but
where it is called cached.  authenticate is measured as a transaction of its
own, with all that it does at the end.
"""
import statistics
from dataclasses import dataclass

from measure import quartiles, say

COUNT = 500
CALLS = 300     # of a block
SECRET = r'\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'


@dataclass
class Call:
    name: str
    sql: str            # of a token, or of claims
    without: str
    kind: str           # of the tokens
    different: int = COUNT
    transaction: bool = False
    goal: float = 0     # microseconds at most; 0 for none


@dataclass
class Cost:
    name: str
    quartiles: tuple    # microseconds of a call, over blocks
    goal: float


VERIFY, IN_SQL, IN_PLPGSQL = 'verify HS256', 'verify HS256 in SQL', 'verify HS256 in PL/pgSQL'
TIMES_FASTER = 14


def calls(operator):
    issuer = operator.value("SELECT current_setting('orla.issuer') || ':' || id FROM orla.instance")
    checks = f"$1, '{SECRET}', '{issuer}', '{operator.value('SHOW orla.audience')}'"
    verify, length = 'SELECT orla.verify_jwt($1) IS NOT NULL', 'SELECT octet_length($1)'
    authenticate = 'SELECT orla.authenticate($1)'
    sign, get = 'SELECT orla.sign_jwt($1)', "SELECT $1::jsonb -> 'sub'"
    return [
        Call(VERIFY, verify, length, 'HS256', goal=3.0),
        Call(IN_SQL, f'SELECT bench.verify_in_sql({checks}) IS NOT NULL', length, 'SQL'),
        Call(IN_PLPGSQL, f'SELECT bench.verify_in_plpgsql({checks}) IS NOT NULL', length, 'SQL'),
        Call('verify ES256', verify, length, 'ES256'),
        Call('authenticate, cached', authenticate, length, 'HS256', 1, True, goal=10.0),
        Call('authenticate, first, HS256', authenticate, length, 'HS256', transaction=True),
        Call('authenticate, first, ES256', authenticate, length, 'ES256', transaction=True),
        Call('sign HS256', sign, get, 'claims'),
        Call('sign ES256', sign, get, 'claims'),
    ]


def signing_key(conn, call):
    """Both kinds of keys are in the ring; the newest signs."""
    if 'sign' in call.name:
        conn.run(f"SET orla.signing_algorithm = '{call.name[-5:]}'")
        conn.run('SET orla.key_activation_delay = 0')
        conn.run('SELECT orla.rotate_keyring()')


class Calls:
    def __init__(self, conn, operator):
        self.conn = conn
        self.first = 0
        conn.prepare('begin', 'BEGIN')
        conn.prepare('commit', 'COMMIT')
        self.sets = {kind: self.parameters(operator, f"SELECT jwt FROM bench.token WHERE alg = '{kind}' ORDER BY n")
                     for kind in ('HS256', 'ES256', 'SQL')}
        self.sets['claims'] = self.parameters(operator, "SELECT claims FROM bench.token WHERE alg = 'SQL' ORDER BY n")

    def parameters(self, operator, sql):
        return [self.conn.parameters(row) for row in operator.rows(sql)]

    def prepare(self, call):
        self.conn.prepare(call.name, call.sql)
        self.conn.prepare('without ' + call.name, call.without)

    def microseconds(self, call):
        sets = self.sets[call.kind][:call.different]
        first = self.first % len(sets)
        sets = sets[first:] + sets[:first]
        spent = []
        for name in ('without ' + call.name, call.name):
            steps = [(name, sets)]
            if call.transaction:
                steps = [('begin', [self.conn.parameters(())]), *steps, ('commit', [self.conn.parameters(())])]
            spent.append(self.conn.spent(steps, CALLS))
        self.first += CALLS
        return (spent[1] - spent[0]) / CALLS / 1000


def measure(connect, passes):
    operator = connect()
    samples = {}
    wanted = calls(operator)
    for turn in ('verify', 'sign HS256', 'sign ES256'):
        some = [call for call in wanted if (call.name if 'sign' in call.name else 'verify') == turn]
        signing_key(operator, some[0])
        measured = Calls(connect(), operator)
        for call in some:
            measured.prepare(call)
            measured.microseconds(call)
        for _ in range(passes):
            for call in some:
                samples.setdefault(call.name, []).append(measured.microseconds(call))
    say('  tokens')
    times = [(name, statistics.median(slow / fast for slow, fast in zip(samples[name], samples[VERIFY])), goal)
             for name, goal in ((IN_SQL, TIMES_FASTER), (IN_PLPGSQL, 0))]
    return [Cost(call.name, quartiles(samples[call.name]), call.goal) for call in wanted], times
