"""What custody costs: sealing, refreshing many tokens, listing files.

    custody.py ENDPOINT CONNECTIONS TURNS

Prints a table with the goal beside each figure.  Whoever is compared is
measured in turn, so that a busy machine hits all alike; reported are medians.
"""
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from measure import quartiles, say
from postgres import Connection
from report import columns, verdict

HERE = os.path.dirname(os.path.abspath(__file__))
REFRESHES = 500
DELAY_MS = 50
CALLS = 400         # of a block, for sealing
SLOW_CALLS = 10     # ... by pgcrypto


def set_delay(endpoint, ms):
    urllib.request.urlopen(f'{endpoint}/set?delay={ms}').read()


class Row:
    def __init__(self, name, figure, goal='', met=None):
        self.cells = [name, figure, goal, verdict(met) if met is not None else '']


# ---- sealing ------------------------------------------------------------------

def sealing(conn, turns):
    """Microseconds of a call: a statement of many, less the same without it."""
    tenant = conn.value('SELECT bench.tenant(1)')
    rows = []
    for size in (200, 2000):
        text = f"bench.token(i, {size})"
        # Values in the row itself and as long as they are: neither side is to
        # pay for what a table does with them.
        conn.run('DROP TABLE IF EXISTS pg_temp.given; CREATE TEMP TABLE given (plain text, sealed bytea, packed bytea)')
        conn.run('ALTER TABLE given ALTER plain SET STORAGE PLAIN, ALTER sealed SET STORAGE PLAIN, ALTER packed SET STORAGE PLAIN')
        conn.run(f"INSERT INTO given SELECT {text}, orla.seal({text}, '{tenant}', 'bench') FROM generate_series(1, {CALLS}) AS i")
        conn.run(f"UPDATE given SET packed = pgp_sym_encrypt(plain, 'a passphrase of some length') WHERE ctid IN (SELECT ctid FROM given LIMIT {SLOW_CALLS})")
        few = f'(SELECT * FROM given WHERE packed IS NOT NULL LIMIT {SLOW_CALLS}) AS few'
        ways = {
            'seal': (f"orla.seal(plain, '{tenant}', 'bench')", 'plain', 'given', CALLS),
            'open': (f"orla.unseal(sealed, '{tenant}', 'bench')", 'sealed', 'given', CALLS),
            'pgp seal': ("pgp_sym_encrypt(plain, 'a passphrase of some length')", 'plain', few, SLOW_CALLS),
            'pgp open': ("pgp_sym_decrypt(packed, 'a passphrase of some length')", 'packed', few, SLOW_CALLS),
        }
        spent = {name: [] for name in ways}
        for turn in range(turns * 5 + 1):
            for name, (call, argument, source, calls) in ways.items():
                took = []
                for what in (argument, call):
                    before = conn.cpu()
                    conn.run(f'SELECT max(octet_length({what})) FROM {source}')
                    took.append(conn.cpu() - before)
                if turn > 0:
                    spent[name].append((took[1] - took[0]) / calls / 1000)
        for what in ('seal', 'open'):
            low, middle, high = quartiles(spent[what])
            faster = statistics.median(spent['pgp ' + what]) / middle
            rows.append(Row(f'{what} {size} B', f'{middle:.2f} µs ({low:.2f}–{high:.2f})', '≤ 3 µs', middle <= 3))
            rows.append(Row(f'pgcrypto ÷ {what} {size} B', f'{faster:.0f}', '≥ 50', faster >= 50))
    return rows


# ---- refreshing -----------------------------------------------------------------

def by_curl(endpoint, parallel):
    """Seconds that curl takes for as many requests of the same size."""
    with tempfile.NamedTemporaryFile('w', suffix='.curl') as config:
        for _ in range(REFRESHES):
            config.write(f'url = "{endpoint}/token"\noutput = "/dev/null"\n')
        config.flush()
        body = f'grant_type=refresh_token&refresh_token={"t" * 160}&client_id=client&client_secret=secret'
        began = time.perf_counter()
        subprocess.run(['curl', '-sS', '--no-progress-meter', '--parallel', '--parallel-immediate', '--parallel-max', str(parallel), '-d', body, '-K', config.name], check=True)
        return time.perf_counter() - began


def set_in_flight(conn, number):
    conn.run(f'ALTER SYSTEM SET orla.max_requests_in_flight = {number}')
    conn.run('SELECT pg_reload_conf()')
    time.sleep(0.2)


def wait_until_done(conn, provider, due, seconds=120):
    give_up = time.time() + seconds
    while conn.value(f"SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE provider = '{provider}' AND last_refreshed_at < '{due}' AND next_request_at <= now()") != '0' \
            or conn.value(f"SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE provider = '{provider}' AND claimed_at IS NOT NULL") != '0':
        if time.time() > give_up:
            raise RuntimeError('refreshes do not end: ' + str(conn.rows(
                'SELECT status, last_error, count(*) FROM orla.user_cloud_storage_tokens GROUP BY 1, 2')))
        time.sleep(0.1)


def by_worker(conn, provider, number):
    """Seconds from the moment that so many are due until the last is stored.

    The worker is told to look at that moment, which it else does within two seconds."""
    conn.run('VACUUM orla.user_cloud_storage_tokens')
    due = conn.value("SELECT clock_timestamp() + interval '300 ms'")
    conn.run(f"UPDATE orla.user_cloud_storage_tokens SET next_request_at = '{due}' WHERE (user_id, provider) IN "
             f"(SELECT user_id, provider FROM orla.user_cloud_storage_tokens WHERE provider = '{provider}' LIMIT {number})")
    conn.run(f"SELECT pg_sleep(extract(epoch FROM '{due}'::timestamptz - clock_timestamp()))")
    conn.run('SELECT pg_reload_conf()')
    time.sleep(0.2)
    wait_until_done(conn, provider, due)
    stored = conn.rows(f"SELECT count(*), extract(epoch FROM max(last_refreshed_at) - '{due}'), count(*) FILTER (WHERE status <> 'connected')"
                       f"  FROM orla.user_cloud_storage_tokens WHERE provider = '{provider}' AND last_refreshed_at >= '{due}'")[0]
    if stored[0] != str(number) or stored[2] != '0':
        raise RuntimeError(f'{stored[0]} of {number} were refreshed, {stored[2]} not well')
    return float(stored[1])


def refreshing(conn, endpoint, turns):
    set_delay(endpoint, DELAY_MS)
    seconds = {'curl': [], 64: [], 128: [], 500: []}
    for turn in range(turns + 1):
        for way, samples in seconds.items():
            if way == 'curl':
                spent = by_curl(endpoint, 64)
            else:
                set_in_flight(conn, way)
                spent = by_worker(conn, 'drive', REFRESHES)
            if turn > 0:
                samples.append(spent)
    set_in_flight(conn, 64)
    middle = {way: statistics.median(samples) for way, samples in seconds.items()}
    ratio = statistics.median(ours / theirs for ours, theirs in zip(seconds[64], seconds['curl']))
    rows = [Row(f'{REFRESHES} × {DELAY_MS} ms by curl, 64 at once', f"{middle['curl']:.3f} s"),
            Row('the same, by the worker', f'{middle[64]:.3f} s'),
            Row('worker ÷ curl', f'{ratio:.2f}', '≤ 1.2', ratio <= 1.2)]
    for more, less in ((128, 64), (500, 128)):
        rows.append(Row(f'by the worker, {more} at once', f'{middle[more]:.3f} s', f'< at {less}', middle[more] < middle[less]))
    return rows


def beside_a_silent_one(conn, endpoint, turns):
    """As many refreshes while as many requests as there may be hang elsewhere."""
    alone, beside = [], []
    for turn in range(turns):
        alone.append(by_worker(conn, 'other', REFRESHES))
        conn.run("UPDATE orla.user_cloud_storage_tokens SET next_request_at = now() WHERE provider = 'silent'")
        conn.run('SELECT pg_reload_conf()')
        while conn.value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE provider = 'silent' AND claimed_at IS NOT NULL") != '64':
            time.sleep(0.02)
        beside.append(by_worker(conn, 'other', REFRESHES))
        conn.run("UPDATE orla.user_cloud_storage_tokens SET next_request_at = now() + interval '1 day' WHERE provider = 'silent' AND claimed_at IS NULL")
        while conn.value("SELECT count(*) FROM orla.user_cloud_storage_tokens WHERE provider = 'silent' AND claimed_at IS NOT NULL") != '0':
            time.sleep(0.1)
        conn.run("UPDATE orla.user_cloud_storage_tokens SET next_request_at = now() + interval '1 day', failures = 0 WHERE provider = 'silent'")
    ratio = statistics.median(b / a for a, b in zip(alone, beside))
    return [Row('refreshes beside 64 hung requests ÷ alone', f'{ratio:.2f}', '≤ 1.2', ratio <= 1.2)]


# ---- memory ---------------------------------------------------------------------

def megabytes(pid, field):
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def keeping_fresh(conn, endpoint, connections):
    set_delay(endpoint, DELAY_MS)
    spent = by_worker(conn, 'drive', connections)
    pid = conn.value('SELECT pid FROM orla.worker_status')
    peak, own = megabytes(pid, 'VmHWM:'), megabytes(pid, 'RssAnon:')
    return [Row(f'{connections:,} connections due at once', f'{spent:.1f} s'),
            Row('the worker\'s memory, at its highest', f'{peak:.0f} MB ({own:.0f} its own)', '≤ 100 MB', peak <= 100)]


# ---- files ----------------------------------------------------------------------

def as_tenant(conn):
    """Begins a transaction of somebody who has connections."""
    tenant = conn.value('SELECT bench.tenant(1)')
    conn.run('BEGIN')
    conn.run(f"SELECT set_config('orla.tenant', '{tenant}', true)")
    conn.run('SET LOCAL ROLE orla_gateway')


class BareClient:
    """Asks for the same page with nothing around it: what the provider takes."""

    def __init__(self, endpoint):
        address = urllib.parse.urlsplit(endpoint)
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = f'GET /drive/v3/files HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n'.encode()

    def seconds(self):
        began = time.perf_counter()
        self.socket.sendall(self.request)
        head, wanted = b'', None
        while wanted is None or len(head) < wanted:
            head += self.socket.recv(65536)
            if wanted is None and b'\r\n\r\n' in head:
                end = head.index(b'\r\n\r\n')
                wanted = end + 4 + int(head[:end].rsplit(b'Content-Length: ', 1)[1].split(b'\r\n')[0])
        return time.perf_counter() - began


def listing(endpoint, conn, turns):
    """Milliseconds that files() and search_files() take longer than the provider."""
    set_delay(endpoint, DELAY_MS)
    bare = BareClient(endpoint)
    calls = {'files()': "orla_api.files('drive')", 'search_files()': "orla_api.search_files('drive', 'words')"}
    added = {name: [] for name in calls}
    for turn in range(turns * 5 + 3):
        for name, call in calls.items():
            as_tenant(conn)
            began = time.perf_counter()
            n = conn.value(f'SELECT count(*) FROM {call}')
            spent = time.perf_counter() - began
            conn.run('COMMIT')
            took = bare.seconds()
            assert n == '100', n
            if turn >= 3:
                added[name].append((spent - took) * 1000)
    rows = []
    for name, samples in added.items():
        low, middle, high = quartiles(samples)
        rows.append(Row(f'{name}, a page of 100, adds', f'{middle:.2f} ms ({low:.2f}–{high:.2f})', '≤ 2 ms', middle <= 2))
    return rows


def downloading():
    """What a session takes for a file of 100 MB, at its highest; of its own memory, without shared buffers."""
    conn = Connection('')
    pid = conn.value('SELECT pg_backend_pid()')
    as_tenant(conn)
    conn.value("SELECT count(*) FROM orla_api.files('drive')")
    before = megabytes(pid, 'VmHWM:')
    size = conn.value("SELECT octet_length(orla_api.download_file('drive', 'large'))")
    assert size == str(100 << 20), size
    peak = megabytes(pid, 'VmHWM:') - before
    conn.run('COMMIT')
    left = megabytes(pid, 'VmRSS:') - before
    conn.close()
    return [Row('download_file() of 100 MB, memory', f'{peak:.0f} MB, {max(left, 0):.0f} MB after')]


def milliseconds_to_cancel(conn, statement):
    """From the cancel of a call that hangs until its session has the error."""
    hung = Connection('')
    pid = hung.value('SELECT pg_backend_pid()')
    as_tenant(hung)
    if 'orla_api' not in statement:
        hung.run('RESET ROLE')
    told = []

    def wait():
        try:
            hung.run(statement)
        except RuntimeError as error:
            told.append((time.perf_counter(), str(error)))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while conn.value(f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}") != 'Extension':
        time.sleep(0.01)
    time.sleep(0.1)
    began = time.perf_counter()
    conn.run(f'SELECT pg_cancel_backend({pid})')
    waiting.join()
    assert 'canceling statement' in told[0][1], told
    hung.run('ROLLBACK')
    hung.close()
    return (told[0][0] - began) * 1000


def cancelling(endpoint, conn, turns):
    """Calls that wait for somebody who never answers; test/t/165_cancel.pl has the others."""
    calls = {
        'http_fetch()': f"""SELECT orla.http_fetch('{{"url": "{endpoint}/silent/x", "hosts": ["127.0.0.1"], "timeout_ms": 300000}}')""",
        'files()': "SELECT orla_api.files('silent')",
        'search_files()': "SELECT orla_api.search_files('silent', 'words')",
        'download_file()': "SELECT orla_api.download_file('silent', 'x')",
    }
    took = []
    for turn in range(turns):
        # one that no request is under way for
        tenant = conn.value("UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() WHERE (user_id, provider) = (SELECT user_id, provider"
                            " FROM orla.user_cloud_storage_tokens WHERE provider = 'silent' AND status = 'connected' AND claimed_at IS NULL"
                            " AND token_expires_at > now() AND user_id <> bench.tenant(1) LIMIT 1) RETURNING user_id")
        calls['a refresh'] = f"""SELECT orla.consult('fresh_token', '{{"user_id": "{tenant}", "provider": "silent"}}')"""
        took += [(milliseconds_to_cancel(conn, statement), name) for name, statement in calls.items()]
    slowest, name = max(took)
    return [Row(f'cancel of a hung call, slowest of {len(took)}', f'{slowest:.1f} ms ({name})', '≤ 50 ms', slowest <= 50)]


def main(endpoint, connections, turns):
    say('loading connections')
    subprocess.run(['psql', '-qXAt', '-v', f'connections={connections}', '-v', f'endpoint={endpoint}', '-f', os.path.join(HERE, 'custody.sql')],
                   check=True, stdout=subprocess.DEVNULL)
    conn = Connection('')
    while conn.value('SELECT ready FROM orla.worker_status') != 't':
        time.sleep(0.1)
    rows = []
    for name, work in (('sealing', lambda: sealing(conn, turns)), ('files', lambda: listing(endpoint, conn, turns)),
                       ('refreshing', lambda: refreshing(conn, endpoint, turns)),
                       ('beside a provider that hangs', lambda: beside_a_silent_one(conn, endpoint, max(turns // 3, 1))),
                       ('downloading', downloading), ('cancelling', lambda: cancelling(endpoint, conn, turns)),
                       ('keeping fresh', lambda: keeping_fresh(conn, endpoint, connections))):
        rows += work()
        say(f'  {name}')
    print(columns([['Custody', 'measured', 'goal', '']] + [row.cells for row in rows]))


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
