import {
    STATUSES, TYPES, add, ago, area, badge, change, confirmThen, el, empty, explain, failureNotice, field, fill, find, icon, input, list, makeDialog,
    notice, onClick, onSubmit, openDialog, remove, select, show, start, statusBadge, tell, toast,
} from './core.js';

const COLUMNS = 'id,content_id,title,content_type,scheduled_date,status,platform,notes,updated_at';
const monthName = new Intl.DateTimeFormat('en', { month: 'long', year: 'numeric' });
const dayName = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const narrow = matchMedia('(max-width: 47.99rem)');
const LATEST = '2100-12-31T23:59';

let month = new Date(new Date().getFullYear(), new Date().getMonth(), 1);
let posts = [];

const sameDay = (a, b) => a.toDateString() === b.toDateString();
const pad = (number) => String(number).padStart(2, '0');
/** A moment as a field of local time has it. */
const local = (at) => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
const titleOf = (entry) => entry.title ?? posts.find(({ id }) => id === entry.content_id)?.title ?? 'Untitled';

// ---- the two views ----------------------------------------------------------

/** Monday before the first of the month. */
function firstDay() {
    const first = new Date(month);
    first.setDate(1 - (first.getDay() + 6) % 7);
    return first;
}

function monthView(entries) {
    const weeks = [];
    const at = firstDay();
    const now = new Date();
    do {
        const days = [];
        for (let i = 0; i < 7; i++, at.setDate(at.getDate() + 1)) {
            const day = new Date(at);
            const mine = entries.filter((entry) => sameDay(new Date(entry.scheduled_date), day));
            const isToday = sameDay(day, now);
            days.push(el('td', { class: `${day.getMonth() === month.getMonth() ? '' : 'other'} ${isToday ? 'today' : ''}` },
                el('div', { class: 'day' },
                    el('span', { class: 'number', 'aria-current': isToday ? 'date' : null }, String(day.getDate())),
                    el('button', { type: 'button', class: 'add', 'aria-label': `Plan a post on ${dayName.format(day)}`, click: () => edit({}, day) }, icon('plus'))),
                mine.map((entry) => el('button', {
                    type: 'button', class: `entry ${entry.status}`, click: () => edit(entry),
                    title: `${clock.format(new Date(entry.scheduled_date))} ${titleOf(entry)}`,
                }, `${clock.format(new Date(entry.scheduled_date))} `, titleOf(entry), el('span', { class: 'hidden-text' }, `, ${STATUSES[entry.status] ?? entry.status}`)))));
        }
        weeks.push(el('tr', {}, days));
    } while (at.getMonth() === month.getMonth() && at > month);
    return el('table', { class: 'month' }, el('caption', { class: 'hidden-text' }, monthName.format(month)),
        el('thead', {}, el('tr', {}, ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].map((name) => el('th', { scope: 'col' }, name)))),
        el('tbody', {}, weeks));
}

function listView(entries) {
    const days = new Map();
    for (const entry of entries) {
        const at = new Date(entry.scheduled_date);
        if (at.getMonth() !== month.getMonth() || at.getFullYear() !== month.getFullYear()) continue;
        days.set(at.toDateString(), [...(days.get(at.toDateString()) ?? []), entry]);
    }
    if (days.size === 0) {
        return empty('calendar', `Nothing in ${monthName.format(month)}`, 'Plan a post, and it shows up here.',
            el('button', { type: 'button', class: 'button primary', click: () => edit({}) }, 'Plan a post'));
    }
    return el('div', { class: 'panel' }, el('ul', { class: 'days' }, [...days].map(([day, mine]) => el('li', {},
        el('h3', {}, dayName.format(new Date(day))),
        el('ul', { class: 'list' }, mine.map((entry) => el('li', {},
            el('div', { class: 'what' }, el('button', { type: 'button', class: 'title', click: () => edit(entry) }, titleOf(entry)),
                el('span', { class: 'more' }, clock.format(new Date(entry.scheduled_date)), entry.platform ? ` · ${entry.platform}` : null)),
            el('span', { class: 'badges' }, entry.content_type ? badge(TYPES[entry.content_type] ?? entry.content_type) : null, statusBadge(entry.status)))))))));
}

async function refresh() {
    find('month').textContent = monthName.format(month);
    const from = firstDay();
    const to = new Date(from);
    to.setDate(to.getDate() + 43);
    await show(find('entries'), async () => {
        const entries = await list('content_calendar', {
            select: COLUMNS, scheduled_date: [`gte.${from.toISOString()}`, `lt.${to.toISOString()}`], order: 'scheduled_date,id', limit: 500,
        });
        const wantsList = narrow.matches || document.querySelector('[name=view]:checked').value === 'list';
        return wantsList ? listView(entries) : monthView(entries);
    });
}

function go(by) {
    month = by === 0 ? new Date(new Date().getFullYear(), new Date().getMonth(), 1) : new Date(month.getFullYear(), month.getMonth() + by, 1);
    refresh();
}

// ---- one entry --------------------------------------------------------------

/** The next full hour of a day; nine o'clock on a later one. */
function proposal(day) {
    const now = new Date();
    const at = new Date(day ?? now);
    if (sameDay(at, now)) at.setHours(now.getHours() + 1, 0, 0, 0);
    else at.setHours(9, 0, 0, 0);
    return at;
}

function edit(entry, day) {
    let current = entry;
    const isNew = entry.id === undefined;
    const was = isNew ? null : local(new Date(entry.scheduled_date));
    const when = input('when', was ?? local(proposal(day)), { type: 'datetime-local', required: true, max: LATEST, min: isNew ? local(new Date()) : null });
    const options = { '': 'None: a note of its own', ...Object.fromEntries(posts.map(({ id, title }) => [id, title])) };
    if (entry.content_id && !(entry.content_id in options)) options[entry.content_id] = '(another text of your library)';
    const linked = select('content_id', options, entry.content_id ?? '');
    const title = input('title', entry.title, { maxlength: '2000' });
    const fields = el('div', { class: 'fields' },
        field('Text from your library', linked, { optional: true }),
        field('Title', title, { hint: 'Leave it empty to use the one of the text.', optional: true }),
        el('div', { class: 'field side-by-side' },
            field('Date and time', when),
            field('Platform', input('platform', entry.platform, { maxlength: '100' }), { optional: true })),
        el('div', { class: 'field side-by-side' },
            field('Type', select('content_type', { '': 'Not said', ...TYPES }, entry.content_type ?? '')),
            isNew ? null : field('Status', select('status', { scheduled: 'Scheduled', published: 'Published', cancelled: 'Cancelled', failed: 'Failed' }, entry.status))),
        field('Notes', area('notes', entry.notes, { maxlength: '20000' }), { optional: true }));
    const { dialog, form, leave } = makeDialog(isNew ? 'Plan a post' : 'Planned post', { keeps: true }, fields, [
        isNew ? null : el('button', { type: 'button', class: 'button danger apart', click: () => drop(current, dialog) }, 'Delete'),
        !isNew && entry.status === 'scheduled' ? onClick(el('button', { type: 'button', class: 'button' }, 'Call it off'), () => callOff(current, dialog, form)) : null,
        el('button', { type: 'button', class: 'button', click: () => leave() }, 'Close'),
        el('button', { class: 'button primary' }, isNew ? 'Plan it' : 'Save'),
    ].filter(Boolean));
    linked.addEventListener('change', () => {
        const post = posts.find(({ id }) => id === linked.value);
        if (post?.content_type) form.elements.content_type.value = post.content_type;
    });
    onSubmit(form, async (given) => {
        const at = new Date(given.when);
        if (given.when !== was && at < new Date() && (given.status ?? 'scheduled') === 'scheduled') {
            fill(form.querySelector('.form-notice'), notice('bad', 'That is in the past.', 'Choose a moment that is still to come.'));
            when.focus();
            return;
        }
        if (given.title === null && given.content_id === null) {
            fill(form.querySelector('.form-notice'), notice('bad', 'What shall go out?', 'Choose a text, or give it a title.'));
            title.focus();
            return;
        }
        const row = {
            content_id: given.content_id, title: given.title, scheduled_date: at.toISOString(), platform: given.platform,
            content_type: given.content_type, notes: given.notes, ...isNew ? {} : { status: given.status },
        };
        if (isNew) await add('content_calendar', row);
        else if (!await save(current, row, form, (theirs) => { current = theirs; }, dialog)) return;
        dialog.close();
        toast(isNew ? 'Planned.' : 'Saved.');
        month = new Date(at.getFullYear(), at.getMonth(), 1);
        await tellLibrary(current, row).catch((error) => tell(failureNotice(error)));
        await refresh();
    });
    dialog.addEventListener('close', () => { if (location.hash) history.replaceState(null, '', location.pathname); });
    openDialog(dialog);
}

/** Whether it was saved; where somebody else changed it, the person chooses. */
async function save(current, row, form, take, dialog) {
    const made = await change('content_calendar', { id: `eq.${current.id}`, updated_at: `eq.${current.updated_at}` }, row);
    if (made !== undefined) return true;
    const [theirs] = await list('content_calendar', { id: `eq.${current.id}`, select: COLUMNS });
    const space = form.querySelector('.form-notice');
    if (theirs === undefined) {
        fill(space, notice('warn', 'This was deleted somewhere else.', 'Plan it anew if you still want it.'));
        return false;
    }
    fill(space, el('div', { class: 'conflict', role: 'alert' },
        el('div', {}, el('strong', {}, 'This was changed somewhere else meanwhile'), ', ', ago(theirs.updated_at), '.'),
        el('div', { class: 'row' },
            el('button', { type: 'button', class: 'button', click: () => { dialog.close(); edit(theirs); } }, 'Take the other one'),
            el('button', { type: 'button', class: 'button danger', click: () => { take(theirs); form.requestSubmit(); } }, 'Keep mine instead'))));
    return false;
}

/**
 * The text in the library goes along: what is planned is scheduled, what went out is
 * published and recorded as that, what is called off is a draft again.
 */
async function tellLibrary(was, { content_id: id, status = 'scheduled', scheduled_date: at, platform }) {
    if (!id) return;
    const now = new Date().toISOString();
    const becomes = {
        scheduled: ['in.(draft,scheduled)', { status: 'scheduled', scheduled_for: at }],
        published: ['neq.archived', { status: 'published', published_at: at < now ? at : now, scheduled_for: null }],
        cancelled: ['eq.scheduled', { status: 'draft', scheduled_for: null }],
    }[status];
    const isOther = status !== was.status || id !== was.content_id || new Date(at) - new Date(was.scheduled_date) !== 0;
    if (!becomes || !isOther) return;
    const [from, row] = becomes;
    const text = await change('content_library', { id: `eq.${id}`, status: from }, row);
    if (status === 'published' && was.status !== 'published' && text) {
        await add('published_posts', { content_id: id, platform, caption: text.content, published_at: row.published_at });
    }
}

async function callOff(entry, dialog, form) {
    if (!await save(entry, { status: 'cancelled' }, form, () => {}, dialog)) return;
    dialog.close();
    toast('Called off.');
    await tellLibrary(entry, { ...entry, status: 'cancelled' }).catch((error) => tell(failureNotice(error)));
    await refresh();
}

function drop(entry, dialog) {
    confirmThen('Delete this entry?', `“${titleOf(entry)}” is taken off the calendar. The text in your library stays.`, 'Delete', async () => {
        await remove('content_calendar', { id: `eq.${entry.id}` });
        dialog.close();
        toast('Deleted.');
        await refresh();
    });
}

async function byAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    try {
        if (asked.has('plan')) {
            const [post] = await list('content_library', { id: `eq.${asked.get('plan')}`, select: 'id,title,content_type' });
            if (post && !posts.some(({ id }) => id === post.id)) posts.unshift(post);
            if (post) edit({ content_id: post.id, content_type: post.content_type });
        }
        if (!asked.get('id')) return;
        const [entry] = await list('content_calendar', { id: `eq.${asked.get('id')}`, select: COLUMNS });
        if (!entry) {
            tell(notice('warn', 'That entry is not there any more.', ''));
            return;
        }
        const at = new Date(entry.scheduled_date);
        month = new Date(at.getFullYear(), at.getMonth(), 1);
        await refresh();
        edit(entry);
    } catch (error) {
        tell(notice('bad', ...explain(error)));
    }
}

start(async () => {
    find('plan').addEventListener('click', () => edit({}));
    find('before').addEventListener('click', () => go(-1));
    find('after').addEventListener('click', () => go(1));
    find('today').addEventListener('click', () => go(0));
    for (const choice of document.querySelectorAll('[name=view]')) choice.addEventListener('change', refresh);
    narrow.addEventListener('change', refresh);
    posts = await list('content_library', { select: 'id,title,content_type', status: 'neq.archived', order: 'updated_at.desc,id', limit: 200 }).catch(() => []);
    await refresh();
    await byAddress();
});
