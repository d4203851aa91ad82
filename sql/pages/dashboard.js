import { JOB_KINDS, JOB_STATUSES, JOB_TONES, TYPES, ago, badge, el, empty, fill, find, list, moment, page, show, start, statusBadge } from './core.js';

const link = (name, label, fragment) => el('a', { href: page(name, fragment) }, label);

function greeting(name) {
    const hour = new Date().getHours();
    const part = hour < 5 ? 'Good night' : hour < 12 ? 'Good morning' : hour < 18 ? 'Good afternoon' : 'Good evening';
    return `${part}, ${name.trim().split(/\s+/)[0]}`;
}

function steps(assets, strategy, content, planned) {
    const all = [
        [assets, 'brand-material', 'Bring in your brand material', 'Guidelines, samples of your voice, logos. Upload them, or import them from your cloud storage.'],
        [strategy, 'strategy', 'Settle your strategy', 'Have it worked out from your material, or write it down yourself.'],
        [content, 'library', 'Create a first draft', 'Written in your own voice, from your own strategy.'],
        [planned, 'calendar', 'Plan when it goes out', 'Put it on the calendar.'],
    ];
    find('begin').hidden = all.every(([done]) => done);
    const next = all.findIndex(([done]) => !done);
    fill(find('steps'), all.map(([done, name, title, text], i) => el('li', { class: done ? 'done' : i === next ? 'next' : '', 'aria-current': i === next ? 'step' : null },
        el('div', {}, link(name, title), done ? el('span', { class: 'hidden-text' }, ' (done)') : null, el('p', {}, text)))));
}

const one = async (view, select = 'id') => (await list(view, { select, limit: 1 })).length > 0;

start(async (user) => {
    find('hello').textContent = greeting(user.name);
    const content = list('content_library', { select: 'id,title,content_type,status,updated_at', order: 'updated_at.desc,id', limit: 5 });
    const numbers = list('content_statistics');
    await Promise.all([
        show(find('recent'), async () => {
            const rows = await content;
            return rows.length === 0
                ? empty('page', 'Nothing here yet', 'What you write, or have written, shows up here.', el('a', { class: 'button', href: page('library', '#write') }, 'Create content'))
                : el('ul', { class: 'list' }, rows.map((row) => el('li', {},
                    el('div', { class: 'what' }, el('a', { class: 'title', href: page('library', `#id=${row.id}`) }, row.title),
                        el('span', { class: 'more' }, TYPES[row.content_type] ?? 'Text', ' · ', ago(row.updated_at))), statusBadge(row.status))));
        }),
        show(find('upcoming'), async () => {
            const rows = await list('upcoming_calendar', { select: 'id,title,scheduled_date,platform', order: 'scheduled_date,id', limit: 4 });
            return rows.length === 0
                ? empty('calendar', 'Nothing planned', 'Posts that you put on the calendar show up here.')
                : el('ul', { class: 'list' }, rows.map((row) => el('li', {}, el('div', { class: 'what' },
                    el('a', { class: 'title', href: page('calendar', `#id=${row.id}`) }, row.title ?? 'Untitled'),
                    el('span', { class: 'more' }, moment(row.scheduled_date), row.platform ? ` · ${row.platform}` : null)))));
        }),
        show(find('jobs'), async () => {
            const rows = await list('my_jobs', { order: 'created_at.desc', limit: 3 });
            return rows.length === 0
                ? el('p', { class: 'soft' }, 'Nothing is running.')
                : el('ul', { class: 'list' }, rows.map((row) => el('li', {}, el('div', { class: 'what' },
                    el('span', { class: 'title' }, JOB_KINDS[row.kind] ?? row.kind), el('span', { class: 'more' }, ago(row.created_at))),
                    badge(row.status === 'running' ? `${row.progress} %` : JOB_STATUSES[row.status] ?? row.status, `dot ${JOB_TONES[row.status] ?? ''}`))));
        }),
        (async () => {
            const [row] = await numbers.catch(() => []);
            find('numbers').hidden = row === undefined;
            if (row) {
                fill(find('numbers'), [['Drafts', row.drafts], ['Scheduled', row.scheduled], ['Published', row.published], ['New this week', row.created_this_week]]
                    .map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, String(value)))));
            }
        })(),
        (async () => {
            try {
                steps(...await Promise.all([one('brand_voice_assets'), one('brand_strategy'), content.then((rows) => rows.length > 0), one('content_calendar')]));
            } catch {
                // what failed is said where it belongs
            }
        })(),
    ]);
});
