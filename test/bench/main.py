"""Loads, measures, prints, draws: test/bench/run's work once a cluster is there.

    main.py PLOT SIZE=NUMBER…
"""
import os
import subprocess
import sys

import plot
import report
import shapes
import tokens
from measure import Bench, say
from postgres import Connection

HERE = os.path.dirname(os.path.abspath(__file__))
TENANT_COUNTS = (10, 100, 1000, 10000, 100000)


def connect():
    conn = Connection('user=bench_login')
    # Prepared once and planned once, in every way: a filter by hand would
    # else be planned anew for its first executions, a policy's would not.
    conn.run('SET plan_cache_mode = force_generic_plan')
    return conn


def connect_for_scaling():
    conn = connect()
    # Ten tenants fit a page or two, of which some plans would read all.
    conn.run('SET enable_seqscan = off')
    return conn


def load(name, **sizes):
    variables = [word for key, number in sizes.items() for word in ('-v', f'{key}={number}')]
    subprocess.run(['psql', '-qXAt', *variables, '-f', os.path.join(HERE, name)], check=True, stdout=subprocess.DEVNULL)


def measure(sizes):
    passes = sizes['passes']
    say('loading')
    load('setup.sql', **{key: sizes[key] for key in ('tenants', 'rows_per_tenant', 'scan_rows')})
    results = report.Results(sizes)

    say('measuring')
    results.costs, results.times = tokens.measure(connect, passes)
    results.scaling = {}
    for count in TENANT_COUNTS:
        load('scaling.sql', tenants=count, rows_per_tenant=sizes['scaling_rows'])
        bench = Bench(connect_for_scaling, range(1, min(count, 200) + 1))
        for shape in shapes.of_many_tenants(count):
            results.scaling[count, shape.name] = bench.measure(shape, passes)
        say(f'  {count} tenants')
    bench = Bench(connect, range(1, 101))
    results.of_one_tenant = [(shape, bench.measure(shape, passes, 'VACUUM bench.note' if shape.writes else ''))
                             for shape in shapes.of_one_tenant()]
    results.of_an_analyst = [(shape, bench.measure(shape, passes)) for shape in shapes.of_an_analyst()]

    say('loading a library')
    load('search.sql', search_rows=sizes['search_rows'])
    bench = Bench(connect, [1])
    results.of_search = [(shape, bench.measure(shape, passes)) for shape in shapes.of_search()]
    return results


if __name__ == '__main__':
    measured = measure({key: int(number) for key, number in (word.split('=') for word in sys.argv[2:])})
    print(report.table(measured))
    plot.draw(measured, sys.argv[1])
    print(f'\nplot: {sys.argv[1]}')
