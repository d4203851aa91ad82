import {
    CATEGORIES, PROVIDERS, ago, badge, base, call, confirmThen, date, el, empty, field, fill, find, icon, list, makeDialog, notice,
    onClick, onSubmit, openDialog, outside, providerName, select, show, size, start, tell, toast,
} from './core.js';

const MARKS = { google_drive: 'drive', onedrive: 'cloud', dropbox: 'box' };

// ---- connections ---------------------------------------------------------------

/** A status in words: what it means, and what is to be done. */
const WORDS = {
    connected: () => [badge('Connected', 'good dot'), null],
    retrying: (name) => [badge('Trying again', 'warn dot'), `${name} does not answer at the moment. We keep trying; you need not do anything.`],
    needs_operator: (name) => [badge('Needs the operator', 'warn dot'), `${name} refuses this installation. Whoever runs this site has to look at it.`],
    needs_reconnect: (name) => [badge('Connect again', 'bad dot'), `${name} has ended the access. Connect again to go on.`],
    disconnected: () => [badge('Not connected'), null],
};

async function connect(provider) {
    const { authorization_url } = await call('connect', { provider, return_to: `${base}/cloud-storage` });
    location.assign(authorization_url);
    // the browser is leaving: the button stays busy
    await new Promise((resolve) => { setTimeout(resolve, 10000); });
}

function disconnect(provider) {
    const name = providerName(provider);
    confirmThen(`Disconnect ${name}?`, 'We forget the access. What you have imported stays. You can connect again at any time.', 'Disconnect', async () => {
        const { message } = await call('disconnect', { provider });
        if (open.provider === provider) closeBrowser();
        tell(notice('good', `${name} is disconnected.`, message));
        await refresh();
    });
}

function panel(provider, c) {
    const name = providerName(provider);
    const status = c && c.status in WORDS ? c.status : 'disconnected';
    const [mark, text] = WORDS[status](name);
    const isThere = status !== 'disconnected';
    const connectButton = (label, kind) => onClick(el('button', { type: 'button', class: `button ${kind}` }, label, el('span', { class: 'hidden-text' }, ` ${name}`)), () => connect(provider));
    return el('section', { class: 'panel', 'aria-label': name }, el('div', { class: 'provider' },
        el('span', { class: 'mark' }, icon(MARKS[provider] ?? 'cloud')),
        el('div', { class: 'what' },
            el('h2', {}, name, mark),
            isThere ? el('p', {}, 'Connected as ', el('strong', {}, c.provider_email ?? 'an account without an address'), ' since ', date(c.connected_at)) : el('p', {}, 'Browse and import your files from here.'),
            text ? el('p', {}, text) : null,
            isThere && c.last_error && status !== 'connected' ? el('p', { class: 'small' }, 'Last answer: ', c.last_error) : null,
            isThere && c.last_error && status === 'connected' ? el('p', {}, c.last_error) : null),
        el('div', { class: 'row' },
            status === 'connected' || status === 'retrying' ? el('button', { type: 'button', class: 'button', click: () => browse(provider) }, 'Browse files', el('span', { class: 'hidden-text' }, ` of ${name}`)) : null,
            status === 'needs_reconnect' ? connectButton('Connect again', 'primary') : null,
            isThere ? el('button', { type: 'button', class: 'button quiet', click: () => disconnect(provider) }, 'Disconnect', el('span', { class: 'hidden-text' }, ` ${name}`)) : connectButton('Connect', 'primary'))));
}

const refresh = () => show(find('providers'), async () => {
    const rows = await list('connections', { order: 'provider' });
    const names = [...new Set([...Object.keys(PROVIDERS), ...rows.map(({ provider }) => provider)])];
    return names.map((provider) => panel(provider, rows.find((row) => row.provider === provider)));
});

// ---- files ---------------------------------------------------------------------

const open = { provider: null, path: [], rows: [], next: null, query: null, round: 0 };

function closeBrowser() {
    open.provider = null;
    find('browser').hidden = true;
}

async function browse(provider) {
    Object.assign(open, { provider, path: [{ id: null, name: providerName(provider) }], query: null });
    find('search').reset();
    find('browser').hidden = false;
    find('browser-title').textContent = `Files in ${providerName(provider)}`;
    await load();
    find('browser-title').focus();
    find('browser').scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
}

function crumbs() {
    if (open.query) {
        fill(find('crumbs'), el('ol', {}, el('li', {}, el('button', { type: 'button', click: () => goTo(0) }, open.path[0].name)), el('li', {}, el('span', { 'aria-current': 'location' }, 'Search'))));
        return;
    }
    fill(find('crumbs'), el('ol', {}, open.path.map(({ name }, i) => el('li', {}, i === open.path.length - 1
        ? el('span', { 'aria-current': 'location' }, name)
        : el('button', { type: 'button', click: () => goTo(i) }, name)))));
}

function goTo(depth) {
    open.path = open.path.slice(0, depth + 1);
    open.query = null;
    find('search').reset();
    load();
}

function enter(folder) {
    open.path.push({ id: folder.id, name: folder.name });
    open.query = null;
    load();
}

async function load(more = false) {
    const mine = ++open.round;
    crumbs();
    if (!more) {
        open.rows = [];
        find('more').hidden = true;
        fill(find('files'));
    }
    await show(find('files'), async () => {
        const page_token = more ? open.next : null;
        const asked = open.query
            ? call('search_files', { provider: open.provider, ...open.query, page_token })
            : call('files', { provider: open.provider, folder_id: open.path.at(-1).id, page_token, page_size: 100 });
        // what the provider refuses may have changed the connection: its panel says what is to be done
        const rows = await asked.catch(async (error) => {
            await refresh();
            throw error;
        });
        if (mine !== open.round) return [...find('files').childNodes];
        open.rows = [...open.rows, ...rows.filter(({ id }) => id !== null)];
        open.next = rows.at(-1)?.next_page_token ?? null;
        find('more').hidden = open.next === null;
        if (open.rows.length === 0) return open.query ? empty('file', 'Nothing found', 'Try other words.') : empty('folder', 'This folder is empty', 'There is nothing in it that we may see.');
        return el('ul', { class: 'files' }, open.rows.map(row));
    });
}

function row(file) {
    if (file.is_folder) {
        return el('li', { class: 'folder' }, icon('folder'), el('div', { class: 'what' }, el('button', { type: 'button', class: 'title', click: () => enter(file) }, file.name)));
    }
    return el('li', {}, icon('file'),
        el('div', { class: 'what' }, el('span', {}, file.name),
            el('span', { class: 'more' }, size(file.size), size(file.size) && file.modified_at ? ' · ' : null, file.modified_at ? ago(file.modified_at) : null)),
        file.web_url ? outside(file.web_url, ['Open', el('span', { class: 'hidden-text' }, ` ${file.name} at the provider, in a new tab`)]) : null,
        el('button', { type: 'button', class: 'button little', click: () => bringIn(file) }, 'Import', el('span', { class: 'hidden-text' }, ` ${file.name}`)));
}

function bringIn(file) {
    const { community_videographer: _, community_client: __, ...categories } = CATEGORIES;
    const { dialog, form } = makeDialog('Import', {}, [
        el('p', {}, el('strong', {}, file.name)),
        field('As what?', select('category', categories, 'guidelines')),
    ], [
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close'),
        el('button', { class: 'button primary' }, 'Import'),
    ]);
    const { provider } = open;
    onSubmit(form, async ({ category }) => {
        await call('import_file', { provider, file_id: file.id, category });
        dialog.close();
        toast(`“${file.name}” is in your brand material.`);
    });
    openDialog(dialog);
}

// ---- begin ----------------------------------------------------------------------

start(async () => {
    const said = new URLSearchParams(location.hash.slice(1));
    if (said.has('connected')) {
        tell(notice('good', `${providerName(said.get('connected'))} is connected.`, 'You can browse your files now, and import what belongs to your brand.'));
        history.replaceState(null, '', location.pathname);
    }
    find('close-browser').addEventListener('click', closeBrowser);
    find('search').addEventListener('submit', (event) => {
        event.preventDefault();
        const { words, file_type } = Object.fromEntries(new FormData(find('search')));
        open.query = words.trim() === '' ? null : { query: words, file_type: file_type || null };
        load();
    });
    onClick(find('more'), () => load(true));
    await refresh();
    // Back from the provider's page by the browser's own button: nothing is busy any more.
    addEventListener('pageshow', refresh);
});
