"""The plot: an SVG that is written by hand, for light and dark pages."""
import math
from xml.sax.saxutils import escape

from report import microseconds, ratio
from shapes import HAND, ORLA, WAYS

WIDTH, LEFT, RIGHT, ROW = 940, 196, 180, 30
STYLE = '''
    .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, "DejaVu Sans", sans-serif }
    .title { font-size: 16px; font-weight: 600 } .small { font-size: 11.5px; fill: #59636e }
    .end { text-anchor: end } .middle { text-anchor: middle }
    .grid { stroke: #d1d9e0; stroke-width: 1 } .one { stroke: #1f2328; stroke-width: 1.5 }
    .goal { stroke: #1a7f37; stroke-width: 3 } .range { stroke-width: 5; opacity: .3; stroke-linecap: round }
    .line { fill: none; stroke-width: 2.5 }
    .c0 { fill: #0969da; stroke: #0969da } .c1 { fill: #bf8700; stroke: #bf8700 } .c2 { fill: #8250df; stroke: #8250df }
    .c3 { fill: #1b7c83; stroke: #1b7c83 } .c4 { fill: #818b98; stroke: #818b98 } .c5 { fill: #cf222e; stroke: #cf222e }
    .line.c0, .line.c1, .line.c2 { fill: none } text.off { font-size: 11.5px; stroke: none }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9198a1 }
      .grid { stroke: #30363d } .one { stroke: #e6edf3 } .goal { stroke: #3fb950 }
      .c0 { fill: #58a6ff; stroke: #58a6ff } .c1 { fill: #e3b341; stroke: #e3b341 } .c2 { fill: #bc8cff; stroke: #bc8cff }
      .c3 { fill: #39c5cf; stroke: #39c5cf } .c4 { fill: #9198a1; stroke: #9198a1 } .c5 { fill: #ff7b72; stroke: #ff7b72 }
    }
'''
CLASS = {ORLA: 'c0', 'setting': 'c1', '(SELECT setting)': 'c2', 'PL/pgSQL': 'c3', '(SELECT C)': 'c4', 'claims': 'c5',
         'policy and @@': 'c5'}
MEANING = {ORLA: 'orla', 'setting': 'current_setting()', '(SELECT setting)': '(SELECT current_setting())',
           'PL/pgSQL': 'PL/pgSQL function', '(SELECT C)': '(SELECT orla.current_tenant())', 'claims': 'request.jwt.claims'}


class Drawing:
    def __init__(self):
        self.parts = []
        self.y = 24

    def add(self, tag, text=None, **attributes):
        words = ' '.join(f'{key.rstrip("_").replace("_", "-")}="{value:.1f}"' if isinstance(value, float)
                         else f'{key.rstrip("_").replace("_", "-")}="{value}"' for key, value in attributes.items())
        self.parts.append(f'<{tag} {words}/>' if text is None else f'<{tag} {words}>{escape(text)}</{tag}>')

    def text(self, x, y, text, class_=''):
        self.add('text', text, x=float(x), y=float(y), class_=class_)

    def line(self, x1, y1, x2, y2, class_):
        self.add('line', x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)

    def head(self, title, note):
        self.text(24, self.y + 8, title, 'title')
        self.text(24, self.y + 27, note, 'small')
        self.y += 42

    def finished(self, label='What the fence, tokens and search cost, compared with a filter written by hand'):
        height = self.y + 10
        return '\n'.join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
            f'aria-label="{escape(label)}">',
            f'<style>{STYLE}</style>', f'<rect class="page" width="{WIDTH}" height="{height}"/>', *self.parts, '</svg>\n'])


class Scale:
    """From values to the page; what is beyond the end is at it."""

    def __init__(self, low, high, start, stop, log=False):
        self.map = math.log10 if log else float
        self.low, self.high, self.start, self.stop = low, high, start, stop

    def __call__(self, value):
        value = min(max(value, self.low), self.high)
        part = (self.map(value) - self.map(self.low)) / (self.map(self.high) - self.map(self.low))
        return self.start + part * (self.stop - self.start)


def legend(drawing, entries):
    x = 24
    for class_, text in entries:
        drawing.add('circle', cx=float(x + 5), cy=float(drawing.y - 4), r=5, class_=class_)
        drawing.text(x + 15, drawing.y, text, 'small')
        x += 30 + 6.2 * len(text)
    drawing.y += 16


def axis(drawing, scale, ticks, bottom, label=str):
    for tick in ticks:
        drawing.line(scale(tick), drawing.y, scale(tick), bottom, 'grid')
        drawing.text(scale(tick), bottom + 16, label(tick), 'small middle')


def dot_row(drawing, scale, name, dots, goal, right):
    """dots: (class, quartiles), the one that counts last."""
    y = drawing.y + ROW / 2
    drawing.text(LEFT - 12, y + 4, name, 'end')
    if goal:
        drawing.line(scale(goal), y - 11, scale(goal), y + 11, 'goal')
    beyond = []
    for class_, (low, middle, high) in dots:
        if middle > scale.high:
            beyond.append((middle, class_))
            continue
        if class_ == 'c0':
            drawing.line(scale(low), y, scale(high), y, f'range {class_}')
        drawing.add('circle', cx=float(scale(middle)), cy=float(y), r=6.5 if class_ == 'c0' else 4.5, class_=class_)
    x = scale.stop - 4
    for middle, class_ in sorted(beyond, reverse=True):
        text = f'{middle:,.0f}×' if middle >= 10 else f'{middle:.1f}×'
        drawing.text(x, y + 4, text, f'off end {class_}')
        x -= 8 + 7 * len(text)
    if beyond:
        drawing.text(scale.stop + 1, y + 4, '›', 'off')
    drawing.text(WIDTH - 104, y + 4, right, 'end')
    if goal:
        drawing.text(WIDTH - 24, y + 4, f'goal ≤ {goal:.2f}' if goal < 2 else f'goal ≤ {goal:g}', 'small end')
    drawing.y += ROW


def draw_shapes(drawing, results):
    sizes = results.sizes
    drawing.head('Row security ÷ WHERE user_id = $1 written by hand',
                 f"Processor time of an execution, prepared; {sizes['tenants'] * sizes['rows_per_tenant']:,} rows of "
                 f"{sizes['tenants']:,} tenants. Medians; pale: the middle half of all blocks. Green: goal, at most.")
    drawing.y += 6
    legend(drawing, [(CLASS[way], MEANING[way]) for way in WAYS if way != HAND])
    scale = Scale(0.7, 2.0, LEFT, WIDTH - RIGHT)
    pairs = results.of_one_tenant + results.of_an_analyst
    bottom = drawing.y + ROW * len(pairs)
    axis(drawing, scale, (0.8, 1.2, 1.4, 1.6, 1.8, 2.0), bottom, lambda tick: f'{tick:.1f}')
    drawing.line(scale(1), drawing.y, scale(1), bottom, 'one')
    drawing.text(scale(1), bottom + 16, '1.0', 'middle')
    for shape, measured in pairs:
        dots = [(CLASS[one.way.name], ratio(measured, one.way.name)) for one in reversed(measured) if one.way.name != HAND]
        dot_row(drawing, scale, shape.name, dots, shape.goal, f'{ratio(measured, ORLA)[1]:.2f}')
    drawing.y += 46


def draw_scaling(drawing, results):
    drawing.head('The same with more tenants',
                 f"orla ÷ by hand, {results.sizes['scaling_rows']} rows for each tenant.")
    drawing.y += 6
    counts = sorted({count for count, _ in results.scaling})
    names = list(dict.fromkeys(name for _, name in results.scaling))
    legend(drawing, [(f'c{i}', name) for i, name in enumerate(names)])
    across = Scale(counts[0], counts[-1], LEFT, WIDTH - RIGHT, log=True)
    top, bottom = drawing.y, drawing.y + 120
    up = Scale(0.8, 1.2, bottom, top)
    for tick in (0.8, 0.9, 1.1, 1.2):
        drawing.line(LEFT, up(tick), WIDTH - RIGHT, up(tick), 'grid')
        drawing.text(LEFT - 12, up(tick) + 4, f'{tick:.1f}', 'small end')
    drawing.line(LEFT, up(1), WIDTH - RIGHT, up(1), 'one')
    drawing.text(LEFT - 12, up(1) + 4, '1.0', 'end')
    for count in counts:
        drawing.text(across(count), bottom + 18, f'{count:,}', 'small middle')
    drawing.text(WIDTH - 24, bottom + 18, 'tenants', 'small end')
    for i, name in enumerate(names):
        points = [(across(count), up(ratio(results.scaling[count, name], ORLA)[1])) for count in counts]
        drawing.add('polyline', points=' '.join(f'{x:.1f},{y:.1f}' for x, y in points), class_=f'line c{i}')
        for x, y in points:
            drawing.add('circle', cx=x, cy=y, r=4, class_=f'c{i}')
    drawing.y = bottom + 48


def draw_tokens(drawing, results):
    drawing.head('Tokens', 'Processor time of a call, in microseconds, on a logarithmic scale. Known: a token that this connection has seen before.')
    scale = Scale(1, 200, LEFT, WIDTH - RIGHT, log=True)
    bottom = drawing.y + ROW * len(results.costs)
    axis(drawing, scale, (1, 2, 5, 10, 20, 50, 100, 200), bottom)
    for cost in results.costs:
        dot_row(drawing, scale, cost.name, [('c4' if cost.name.startswith('the same') else 'c0', cost.quartiles)],
                cost.goal, microseconds(cost.quartiles[1]))
    drawing.y += 46


def draw_search(drawing, results):
    drawing.head('Search behind the fence ÷ the same search without a policy',
                 f"A tenant with {results.sizes['search_rows']:,} rows, as many of others. In red: the same behind a policy with PostgreSQL's own @@.")
    scale = Scale(0.5, 4, LEFT, WIDTH - RIGHT)
    bottom = drawing.y + ROW * len(results.of_search)
    axis(drawing, scale, (2, 3, 4), bottom)
    drawing.line(scale(1), drawing.y, scale(1), bottom, 'one')
    drawing.text(scale(1), bottom + 16, '1', 'middle')
    for shape, measured in results.of_search:
        dots = [(CLASS[one.way.name], ratio(measured, one.way.name)) for one in reversed(measured) if one.way.name != HAND]
        dot_row(drawing, scale, shape.name, dots, shape.goal, f'{ratio(measured, ORLA)[1]:.2f}')
    drawing.y += 34


def draw(results, path):
    drawing = Drawing()
    draw_shapes(drawing, results)
    draw_scaling(drawing, results)
    draw_tokens(drawing, results)
    draw_search(drawing, results)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(drawing.finished())


# ---- load ---------------------------------------------------------------------

def draw_requests(drawing, figures, ratios):
    drawing.head('Requests per second, orla ÷ the same without a fence',
                 'Through the same HTTP layer. Medians; pale: the middle half of all pairs of blocks. Green: goal, at least.')
    scale = Scale(0.5, 1.5, LEFT, WIDTH - RIGHT)
    bottom = drawing.y + ROW * len(figures)
    axis(drawing, scale, (0.5, 0.7, 0.9, 1.1, 1.3, 1.5), bottom, lambda tick: f'{tick:.1f}')
    drawing.line(scale(1), drawing.y, scale(1), bottom, 'one')
    drawing.text(scale(1), bottom + 16, '1.0', 'middle')
    for one in figures:
        tenants = f"{one['tenants']:,} tenant{'s' if one['tenants'] > 1 else ''}"
        drawing.line(scale(0.9), drawing.y + ROW / 2 - 11, scale(0.9), drawing.y + ROW / 2 + 11, 'goal')
        dot_row(drawing, scale, f"{one['kind']}, {tenants}", [('c0', ratios(one))], None, f'{ratios(one)[1]:.2f}')
    drawing.y += 46


def draw_jobs(drawing, figures, share):
    drawing.head('1,000 generation jobs of 50 tenants, a model that takes 2 s',
                 'How much of the configured concurrency was busy at the model while jobs waited. Green: goal, at least.')
    scale = Scale(0.7, 1, LEFT, WIDTH - RIGHT)
    bottom = drawing.y + ROW * len(figures)
    axis(drawing, scale, (0.7, 0.8, 0.9, 1), bottom, lambda tick: f'{tick:.0%}')
    for one in figures:
        y = drawing.y + ROW / 2
        drawing.line(scale.start, y, scale(one['busy']), y, 'range c0')
        drawing.line(scale(0.9), y - 11, scale(0.9), y + 11, 'goal')
        dot_row(drawing, scale, f"{one['slots']} at once, {one['kind']}", [('c3', (one['busy'],) * 3)], None, f"{one['busy']:.0%}")
    drawing.y += 46
    drawing.head('What each of the 50 tenants had done when the first of them had nothing left',
                 'A bar for each tenant; green: an equal share.')
    for one in figures:
        mean = sum(one['shares']) / len(one['shares'])
        top, bottom = drawing.y, drawing.y + 54
        drawing.text(LEFT - 12, bottom - 18, f"{one['slots']} at once, {one['kind']}", 'end')
        for i, done in enumerate(sorted(one['shares'], reverse=True)):
            height = 46 * done / max(one['shares'])
            drawing.add('rect', x=float(LEFT + i * 11), y=float(bottom - height), width=8, height=float(height), class_='c0')
        y = bottom - 46 * mean / max(one['shares'])
        drawing.line(LEFT - 4, y, LEFT + 50 * 11, y, 'goal')
        drawing.text(WIDTH - 24, bottom - 18, f'{min(one["shares"])}–{max(one["shares"])} jobs, {share(one):.1%} off', 'small end')
        drawing.y = bottom + 16


def draw_load(figures, path, ratios, share):
    drawing = Drawing()
    draw_requests(drawing, figures['requests'], ratios)
    draw_jobs(drawing, figures['jobs'], share)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(drawing.finished('Requests per second and generation jobs under load'))
