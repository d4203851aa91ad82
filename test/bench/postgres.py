"""Just enough of libpq for measuring, and the processor time of a backend.

ctypes, so that nothing need be installed or compiled.  What the client costs
is not measured: time is the backend's, as the kernel accounts for it.
"""
import ctypes
import ctypes.util
import os
import time

_pq = ctypes.CDLL(ctypes.util.find_library('pq') or 'libpq.so.5')
_conn, _res, _text, _int = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
for _name, _returns, _takes in (
        ('PQconnectdb', _conn, [_text]), ('PQfinish', None, [_conn]), ('PQstatus', _int, [_conn]),
        ('PQerrorMessage', _text, [_conn]), ('PQbackendPID', _int, [_conn]),
        ('PQexec', _res, [_conn, _text]), ('PQprepare', _res, [_conn, _text, _text, _int, ctypes.c_void_p]),
        ('PQenterPipelineMode', _int, [_conn]), ('PQexitPipelineMode', _int, [_conn]),
        ('PQsendQueryPrepared', _int, [_conn, _text, _int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, _int]),
        ('PQpipelineSync', _int, [_conn]), ('PQgetResult', _res, [_conn]), ('PQresultStatus', _int, [_res]), ('PQclear', None, [_res]), ('PQntuples', _int, [_res]),
        ('PQnfields', _int, [_res]), ('PQgetvalue', _text, [_res, _int, _int])):
    _function = getattr(_pq, _name)
    _function.restype, _function.argtypes = _returns, _takes

_OK = (1, 2, 10)    # PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_PIPELINE_SYNC
_BATCH = 32


class Connection:
    def __init__(self, options):
        self.conn = _pq.PQconnectdb(options.encode())
        if _pq.PQstatus(self.conn) != 0:
            raise RuntimeError(_pq.PQerrorMessage(self.conn).decode())
        pid = _pq.PQbackendPID(self.conn)
        self.stat = os.open(f'/proc/{pid}/stat', os.O_RDONLY)
        # The clock of another process (clock_getcpuclockid(3)).
        self.clock = ~pid << 3 | 2

    def close(self):
        os.close(self.stat)
        _pq.PQfinish(self.conn)

    def cpu(self):
        """Nanoseconds that the backend has run since it began.

        The clock is put right when the process goes to sleep, which is a
        moment after its answer has arrived.
        """
        while os.pread(self.stat, 200, 0).rpartition(b') ')[2][:1] != b'S':
            time.sleep(0.00002)
        return time.clock_gettime_ns(self.clock)

    def _done(self, result):
        if _pq.PQresultStatus(result) not in _OK:
            message = _pq.PQerrorMessage(self.conn).decode()
            _pq.PQclear(result)
            raise RuntimeError(message)
        return result

    def run(self, sql):
        _pq.PQclear(self._done(_pq.PQexec(self.conn, sql.encode())))

    def rows(self, sql):
        result = self._done(_pq.PQexec(self.conn, sql.encode()))
        rows = [tuple(_pq.PQgetvalue(result, i, j).decode() for j in range(_pq.PQnfields(result)))
                for i in range(_pq.PQntuples(result))]
        _pq.PQclear(result)
        return rows

    def value(self, sql):
        return self.rows(sql)[0][0]

    def prepare(self, name, sql):
        _pq.PQclear(self._done(_pq.PQprepare(self.conn, name.encode(), sql.encode(), 0, None)))

    @staticmethod
    def parameters(values):
        """Texts for repeat(), made once."""
        return len(values), (_text * max(len(values), 1))(*(v.encode() for v in values))

    def repeat(self, steps, n):
        """Executes prepared statements in turn, n times.

        A step is a statement's name and the sets of parameters to go round.
        Sent in batches: with a round trip for each execution, most of what
        would be measured is the kernel's work of waking two processes.
        """
        conn = self.conn
        steps = [(name.encode(), sets) for name, sets in steps]
        _pq.PQenterPipelineMode(conn)
        try:
            for start in range(0, n, _BATCH):
                batch = range(start, min(start + _BATCH, n))
                for i in batch:
                    for name, sets in steps:
                        count, texts = sets[i % len(sets)]
                        _pq.PQsendQueryPrepared(conn, name, count, texts, None, None, 0)
                _pq.PQpipelineSync(conn)
                for _ in range(len(batch) * len(steps)):
                    _pq.PQclear(self._done(_pq.PQgetResult(conn)))
                    _pq.PQgetResult(conn)       # none: the end of a statement
                _pq.PQclear(self._done(_pq.PQgetResult(conn)))
        finally:
            _pq.PQexitPipelineMode(conn)

    def spent(self, steps, n):
        """Nanoseconds that repeat() takes the backend."""
        before = self.cpu()
        self.repeat(steps, n)
        return self.cpu() - before
