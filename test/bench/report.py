"""The tables that the bench prints."""
from measure import quartiles
from shapes import HAND, ORLA, WAYS


class Results:
    def __init__(self, sizes):
        self.sizes = sizes
        self.costs = []             # tokens.Cost
        self.times = []             # (what, ÷ verifying in orla, goal)
        self.scaling = {}           # (tenants, shape's name) → Measured by hand and by orla
        self.of_one_tenant = []     # (Shape, Measured of each way)
        self.of_an_analyst = []
        self.of_search = []


def by_name(measured, name):
    return next((one for one in measured if one.way.name == name), None)


def ratio(measured, name):
    """Lower quartile, median and upper quartile of way ÷ by hand."""
    one = by_name(measured, name)
    return one and quartiles(one.ratios_to(by_name(measured, HAND)))


def verdict(met):
    return 'met' if met else 'NOT met'


def microseconds(us):
    return f'{us / 1000:.1f} ms' if us >= 10000 else f'{us:.0f} µs' if us >= 100 else f'{us:.1f} µs'


def columns(rows):
    """The first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return '\n'.join('  '.join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]).rstrip()
                     for row in rows)


def shape_row(shape, measured, names):
    low, middle, high = ratio(measured, ORLA)
    row = [shape.name, microseconds(by_name(measured, HAND).cost()), f'{middle:.3f}', f'{low:.2f}–{high:.2f}',
           f'≤ {shape.goal:.2f}', verdict(middle <= shape.goal)]
    for name in names:
        other = ratio(measured, name)
        row.append(f'{other[1]:.2f}' if other else '')
    return row


def shapes_table(pairs, names):
    return columns([['', 'by hand', 'orla', 'quartiles', 'goal', '', *names]] +
                   [shape_row(shape, measured, names) for shape, measured in pairs])


def scaling_table(scaling):
    counts = sorted({count for count, _ in scaling})
    names = list(dict.fromkeys(name for _, name in scaling))
    rows = [['tenants', *(title for name in names for title in (name, 'ratio'))]]
    for count in counts:
        row = [f'{count:,}']
        for name in names:
            measured = scaling[count, name]
            row += [microseconds(by_name(measured, ORLA).cost()), f'{ratio(measured, ORLA)[1]:.3f}']
        rows.append(row)
    return columns(rows)


def tokens_table(costs, times):
    rows = [['', 'a call', 'quartiles', 'goal', '']]
    for cost in costs:
        low, middle, high = cost.quartiles
        rows.append([cost.name, microseconds(middle), f'{low:.1f}–{high:.1f}',
                     f'≤ {cost.goal:.0f} µs' if cost.goal else '', verdict(middle <= cost.goal) if cost.goal else ''])
    for name, factor, goal in times:
        rows.append([f'{name} ÷ verify_jwt()', f'{factor:.1f}', '', f'≥ {goal}' if goal else '', verdict(factor >= goal) if goal else ''])
    return columns(rows)


def table(results):
    sizes = results.sizes
    others = [name for name in WAYS if name not in (HAND, ORLA)]
    return '\n'.join([
        'Processor time of the backend; ratios are to a hand-written WHERE user_id = $1.',
        '',
        f"One tenant of {sizes['tenants']:,}, with {sizes['rows_per_tenant']} of {sizes['tenants'] * sizes['rows_per_tenant']:,} rows; "
        f"scan: {sizes['scan_rows']:,} rows",
        shapes_table(results.of_one_tenant + results.of_an_analyst, others),
        '',
        f"More tenants, {sizes['scaling_rows']} rows each",
        scaling_table(results.scaling),
        '',
        'Tokens',
        tokens_table(results.costs, results.times),
        '',
        f"Search, {sizes['search_rows']:,} rows of the tenant's own and as many of others",
        shapes_table(results.of_search, ['policy and @@']),
    ])
