import {
    TYPES, add, ago, area, badge, call, change, confirmThen, el, empty, explain, failureNotice, field, fill, find, followJob, input,
    list, makeDialog, notice, onClick, onSubmit, openDialog, page, remove, select, show, start, statusBadge, tell, toast,
} from './core.js';

const PAGE = 24;
const COLUMNS = 'id,title,content_type,content,status,platform,tags,media_url,updated_at,scheduled_for';
const filters = find('filters');
let shown = [];
let round = 0;

// ---- the list ---------------------------------------------------------------

function wanted(offset) {
    const { words, status, content_type } = Object.fromEntries(new FormData(filters));
    const parameters = { select: COLUMNS, limit: PAGE + 1, offset };
    if (status) parameters.status = `eq.${status}`;
    if (content_type) parameters.content_type = `eq.${content_type}`;
    return words.trim() === ''
        ? list('content_library', { ...parameters, order: 'updated_at.desc,id' })
        : call('search_content', { query: words }, parameters);
}

const card = (row) => el('li', { class: 'card' },
    el('div', { class: 'row-between' }, badge(TYPES[row.content_type] ?? 'Text'), statusBadge(row.status)),
    el('h2', {}, el('button', { type: 'button', click: () => edit(row) }, row.title)),
    el('p', { class: 'text' }, (row.content ?? '').slice(0, 400)),
    row.tags?.length > 0 ? el('div', { class: 'row' }, row.tags.slice(0, 4).map((tag) => el('span', { class: 'tag' }, tag))) : null,
    el('div', { class: 'foot' }, el('span', {}, ago(row.updated_at)), row.platform ? el('span', {}, row.platform) : null));

const isFiltered = () => [...new FormData(filters).values()].some((value) => value.trim() !== '');

async function refresh(more = false) {
    const mine = ++round;
    const before = more ? shown : [];
    if (!more) find('more').hidden = true;
    await show(find('items'), async () => {
        const rows = await wanted(before.length);
        if (mine !== round) return [...find('items').childNodes];
        shown = [...before, ...rows.slice(0, PAGE)];
        find('more').hidden = rows.length <= PAGE;
        find('found').textContent = shown.length === 1 ? 'One item' : `${shown.length} items`;
        if (shown.length > 0) return el('ul', { class: 'cards' }, shown.map(card));
        return isFiltered()
            ? empty('page', 'Nothing matches', 'Try other words, or take the filters away.', el('button', { type: 'button', class: 'button', click: () => { filters.reset(); refresh(); } }, 'Clear filters'))
            : empty('spark', 'Your library is empty', 'Have a first draft written in your voice, or write one yourself.',
                el('button', { type: 'button', class: 'button primary', click: () => generate() }, 'Create a draft'));
    });
}

// ---- one item ---------------------------------------------------------------

const tagsOf = (text) => (text ?? '').split(',').map((tag) => tag.trim()).filter((tag) => tag !== '');

/** What the form says, as a row. */
function rowOf(given) {
    return {
        title: given.title, content_type: given.content_type, content: given.content, status: given.status, platform: given.platform,
        tags: tagsOf(given.tags), media_url: given.media_url,
    };
}

function conflict(space, theirs, mine, overwrite, take) {
    fill(space, el('div', { class: 'conflict', role: 'alert' },
        el('div', {}, el('strong', {}, 'This was changed somewhere else while you were writing.'),
            el('p', {}, 'Perhaps in another tab, ', ago(theirs.updated_at), '. Nothing is lost: choose which of the two to keep.')),
        theirs.title !== mine.title ? el('p', {}, 'Its title there: ', el('strong', {}, theirs.title)) : null,
        el('div', { class: 'theirs', tabindex: '0', role: 'region', 'aria-label': 'The other text' }, theirs.content ?? '(no text)'),
        el('div', { class: 'row' },
            onClick(el('button', { type: 'button', class: 'button' }, 'Take the other one'), take),
            onClick(el('button', { type: 'button', class: 'button danger' }, 'Keep mine instead'), overwrite))));
    space.scrollIntoView({ block: 'nearest' });
}

function edit(row = {}) {
    let current = row;
    const isNew = row.id === undefined;
    const title = input('title', row.title, { required: true, maxlength: '2000', autofocus: isNew });
    const text = area('content', row.content, { class: 'input tall' });
    const fields = [
        field('Title', title),
        el('div', { class: 'field side-by-side' },
            field('Type', select('content_type', TYPES, row.content_type ?? 'blog')),
            field('Status', select('status', { draft: 'Draft', scheduled: 'Scheduled', published: 'Published', archived: 'Archived' }, row.status ?? 'draft')),
            field('Platform', input('platform', row.platform, { maxlength: '100', list: 'platforms' }), { optional: true })),
        field('Text', text),
        el('div', { class: 'field side-by-side' },
            field('Tags', input('tags', (row.tags ?? []).join(', ')), { optional: true, hint: 'Separated by commas.' }),
            field('Picture or video', input('media_url', row.media_url, { type: 'url', placeholder: 'https://…' }), { optional: true, hint: 'Its address.' })),
    ];
    const { dialog, form, leave, mayGo } = makeDialog(isNew ? 'New text' : 'Edit', { wide: true, keeps: true }, fields, [
        isNew ? null : el('button', { type: 'button', class: 'button danger apart', click: () => drop(current, dialog) }, 'Delete'),
        isNew ? null : el('a', { class: 'button', href: page('calendar', `#plan=${row.id}`), click: (event) => { if (!mayGo()) event.preventDefault(); } }, 'Plan'),
        el('button', { type: 'button', class: 'button', click: () => leave() }, 'Close'),
        el('button', { class: 'button primary' }, 'Save'),
    ].filter(Boolean));
    const space = form.querySelector('.form-notice');

    function saved(made) {
        dialog.close();
        toast('Saved.');
        history.replaceState(null, '', location.pathname);
        return made;
    }
    onSubmit(form, async (given) => {
        const mine = rowOf(given);
        if (mine.status === 'published' && current.status !== 'published') mine.published_at = new Date().toISOString();
        if (isNew) {
            await add('content_library', mine);
        } else {
            const made = await change('content_library', { id: `eq.${current.id}`, updated_at: `eq.${current.updated_at}` }, mine);
            if (made === undefined) {
                const [theirs] = await list('content_library', { id: `eq.${current.id}`, select: COLUMNS });
                if (theirs === undefined) {
                    fill(space, notice('warn', 'This was deleted somewhere else.', 'You can save what you have as a new text.',
                        el('div', { class: 'actions' }, onClick(el('button', { type: 'button', class: 'button' }, 'Save as new'), async () => {
                            await add('content_library', mine);
                            saved();
                            await refresh();
                        }))));
                    return;
                }
                conflict(space, theirs, mine, () => {
                    current = theirs;
                    form.requestSubmit();
                }, () => {
                    dialog.close();
                    edit(theirs);
                });
                return;
            }
        }
        saved();
        await refresh();
    });
    dialog.addEventListener('close', () => { if (location.hash.startsWith('#id=')) history.replaceState(null, '', location.pathname); });
    openDialog(dialog);
}

function drop(row, dialog) {
    confirmThen('Delete this?', `“${row.title}” will be gone for good. What is planned with it stays on the calendar, without the text.`, 'Delete', async () => {
        await remove('content_library', { id: `eq.${row.id}` });
        dialog.close();
        toast('Deleted.');
        await refresh();
    });
}

// ---- generation -------------------------------------------------------------

function generate({ topic = '', keyword = '' } = {}) {
    const fields = [
        el('div', { class: 'fields' },
            field('What shall it be?', select('content_type', TYPES, 'blog')),
            field('Topic', input('topic', topic, { required: true, maxlength: '300', placeholder: 'First flush: what makes it special' })),
            field('Keyword', input('keyword', keyword, { maxlength: '100' }), { optional: true, hint: 'What people type into a search engine to find it.' }),
            el('div', { class: 'field side-by-side' },
                field('Length in words', input('target_length', '', { type: 'number', min: '50', max: '10000', step: '50' }), { optional: true }),
                field('Platform', input('platform', '', { maxlength: '100' }), { optional: true })),
            field('What else matters?', area('notes', '', { maxlength: '4000', placeholder: 'Points to make, things to leave out' }), { optional: true })),
    ];
    const { dialog, form, leave } = makeDialog('Create a draft', { keeps: true }, fields, [
        el('button', { type: 'button', class: 'button', click: () => leave() }, 'Close'),
        el('button', { class: 'button primary' }, 'Start writing'),
    ]);
    onSubmit(form, async ({ content_type, ...rest }) => {
        const brief = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
        let job;
        try {
            job = await call('generate_content', { content_type, brief });
        } catch (error) {
            const isAsked = /strategy/.test(error.message);
            fill(form.querySelector('.form-notice'), failureNotice(error,
                isAsked ? el('div', { class: 'actions' }, el('a', { class: 'button little', href: page('strategy') }, 'Go to your strategy')) : null));
            return;
        }
        dialog.close();
        follow(job.job_id, `Writing: ${rest.topic}`);
    });
    openDialog(dialog);
}

function follow(id, title) {
    return followJob(find('job'), id, title, async (job) => {
        if (job.status !== 'succeeded') return;
        fill(find('job'));
        tell(notice('good', 'Your draft is ready.', 'Read it, make it yours, then plan it.'));
        await refresh();
        const [row] = job.result_id ? await list('content_library', { id: `eq.${job.result_id}`, select: COLUMNS }) : [];
        if (row && document.querySelector('dialog[open]') === null) edit(row);
    });
}

// ---- begin ------------------------------------------------------------------

async function byAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (asked.has('write')) {
        history.replaceState(null, '', location.pathname);
        generate({ topic: asked.get('topic') ?? '', keyword: asked.get('keyword') ?? '' });
    }
    const id = asked.get('id');
    if (!id) return;
    try {
        const [row] = await list('content_library', { id: `eq.${id}`, select: COLUMNS });
        if (row) edit(row);
        else tell(notice('warn', 'That text is not there any more.', ''));
    } catch (error) {
        tell(notice('bad', ...explain(error)));
    }
}

start(async () => {
    let typing;
    filters.addEventListener('submit', (event) => { event.preventDefault(); refresh(); });
    filters.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => refresh(), 250); });
    find('write').addEventListener('click', () => edit());
    find('generate').addEventListener('click', () => generate());
    onClick(find('more'), () => refresh(true));
    addEventListener('hashchange', byAddress);
    document.body.append(el('datalist', { id: 'platforms' }, ['LinkedIn', 'Instagram', 'Facebook', 'X', 'YouTube', 'TikTok', 'Website', 'Newsletter'].map((name) => el('option', { value: name }))));
    await Promise.all([refresh(), byAddress()]);
});
