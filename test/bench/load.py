"""Load: the tables and the plot of what load.mjs has measured (standard input).

    load.py PLOT
"""
import json
import statistics
import sys

import plot
from measure import quartiles
from report import columns, verdict

RATE = 0.9
BUSY = 0.9
SHARE = 0.1

def middle(one, side, what):
    return statistics.median(block[what] for block in one['blocks'][side])


def ratios(one, what='seconds', than='unfenced'):
    """Of a pair of blocks: requests per second of orla's ÷ without a fence."""
    return quartiles([theirs[what] / ours[what] for ours, theirs in zip(one['blocks']['fenced'], one['blocks'][than])])


def by_processor(one, than='unfenced'):
    """The same by the processor time that layer and database take, which no neighbour on the machine disturbs."""
    return quartiles([(theirs['database'] + theirs['layer']) / (ours['database'] + ours['layer'])
                      for ours, theirs in zip(one['blocks']['fenced'], one['blocks'][than])])


def milliseconds(seconds):
    return f'{seconds * 1000:.2f}' if seconds < 0.01 else f'{seconds * 1000:.1f}'


def requests_table(figures):
    rows = [['', 'tenants', 'without', 'orla', 'ratio', 'quartiles', 'goal', '', 'processor', 'quartiles', 'bare', 'database', 'orla', 'layer', 'orla']]
    for one in figures:
        low, ratio, high = ratios(one)
        lower, processor, higher = by_processor(one)
        _, bare, _ = by_processor(one, 'bare')
        rows.append([one['kind'], f"{one['tenants']:,}",
                     *(f"{1 / middle(one, side, 'seconds'):,.0f}/s" for side in ('unfenced', 'fenced')),
                     f'{ratio:.2f}', f'{low:.2f}–{high:.2f}', f'≥ {RATE}', verdict(round(ratio, 2) >= RATE),
                     f'{processor:.2f}', f'{lower:.2f}–{higher:.2f}', f'{bare:.2f}',
                     *(milliseconds(middle(one, side, what)) for what in ('database', 'layer') for side in ('unfenced', 'fenced'))])
    return columns(rows)


def share(one):
    """How far the tenant that got least, or most, is from an equal share."""
    mean = statistics.mean(one['shares'])
    return max(abs(done / mean - 1) for done in one['shares'])


def jobs_table(figures):
    rows = [['', 'at once', 'busy', 'goal', '', 'done by each', 'off its share', 'goal', '', 'took', 'worker, a job']]
    for one in figures:
        rows.append([f"{one['kind']} queues", str(one['slots']), f"{one['busy']:.0%}", f'≥ {BUSY:.0%}', verdict(one['busy'] >= BUSY),
                     f"{min(one['shares'])}–{max(one['shares'])}", f'{share(one):.1%}', f'≤ {SHARE:.0%}', verdict(share(one) <= SHARE),
                     f"{one['seconds']:.1f} s", f"{one['worker'] * 1000:.1f} ms"])
    return columns(rows)


def table(figures):
    return '\n'.join([
        f"Load through {'PostgREST' if figures['layer'] == 'PostgREST' else 'the tests’ gateway'}: requests per second; milliseconds of processor time of a request",
        requests_table(figures['requests']),
        '',
        '1,000 jobs of 50 tenants, a model that takes 2 s',
        jobs_table(figures['jobs']),
    ])


if __name__ == '__main__':
    measured = json.load(sys.stdin)
    print(table(measured))
    plot.draw_load(measured, sys.argv[1], ratios, share)
    print(f'\nplot: {sys.argv[1]}')
