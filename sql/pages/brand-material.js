import { CATEGORIES, Failure, ago, confirmThen, el, empty, explain, find, icon, list, makeDialog, remove, show, size, start, toast, upload } from './core.js';

const PAGE = 30;

// Why a file is kept and was not read: text_outcome in words.
const UNREAD = {
    'no text': 'There is no text in it.',
    encrypted: 'It opens with a password. Upload it once more without one.',
    damaged: 'It is damaged, or not what its name says.',
    'too large': 'Unpacked, it is too large to be read.',
    'took too long': 'Reading it took too long.',
    'unknown format': 'Files of this kind cannot be read.',
    'no tool': 'This installation cannot read files of this kind. Tell whoever runs it.',
};
const unread = ({ text_outcome } = {}) => UNREAD[text_outcome] ?? 'Nothing in this file can be read as text.';

let shown = [];
let round = 0;

// ---- what is there ------------------------------------------------------------

async function preview(asset) {
    const body = el('div', { class: 'stack' });
    const { dialog } = makeDialog(asset.filename, { wide: true }, [
        el('p', { class: 'soft' }, [CATEGORIES[asset.category] ?? asset.category, size(asset.file_size_bytes), asset.file_type].filter(Boolean).join(' · ')), body,
    ], [
        el('button', { type: 'button', class: 'button danger apart', click: () => drop(asset, dialog) }, 'Delete'),
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close'),
    ]);
    dialog.showModal();
    await show(body, async () => {
        const [row] = await list('brand_voice_assets', { id: `eq.${asset.id}`, select: 'content_preview,metadata' });
        const text = row?.metadata?.full_text ?? row?.content_preview;
        return text
            ? el('div', { class: 'reading plain-text' }, text.slice(0, 50000), text.length > 50000 ? el('p', { class: 'soft' }, 'And more, which is not shown here.') : null)
            : empty('file', 'No text in it', unread(row?.metadata));
    });
}

function drop(asset, dialog) {
    confirmThen('Delete this file?', `“${asset.filename}” will be gone for good. A strategy that was worked out from it stays.`, 'Delete', async () => {
        await remove('brand_voice_assets', { id: `eq.${asset.id}` });
        dialog?.close();
        toast('Deleted.');
        await refresh();
    });
}

const item = (asset) => el('li', {}, icon('file'),
    el('div', { class: 'what' }, el('button', { type: 'button', class: 'title', click: () => preview(asset) }, asset.filename),
        el('span', { class: 'more' }, CATEGORIES[asset.category] ?? asset.category, ' · ', size(asset.file_size_bytes), size(asset.file_size_bytes) ? ' · ' : null, ago(asset.uploaded_at))),
    el('button', { type: 'button', class: 'button little quiet', click: () => drop(asset) }, 'Delete', el('span', { class: 'hidden-text' }, ` ${asset.filename}`)));

async function refresh(more = false) {
    const mine = ++round;
    const before = more ? shown : [];
    await show(find('assets'), async () => {
        const category = find('filter').value;
        const rows = await list('brand_voice_assets', {
            select: 'id,filename,category,file_type,file_size_bytes,uploaded_at', order: 'uploaded_at.desc,id', limit: PAGE + 1, offset: before.length,
            ...category ? { category: `eq.${category}` } : {},
        });
        if (mine !== round) return [...find('assets').childNodes];
        shown = [...before, ...rows.slice(0, PAGE)];
        find('more').hidden = rows.length <= PAGE;
        return shown.length === 0
            ? empty('layers', category ? 'Nothing of this kind' : 'Nothing here yet', 'Upload a file above, or import one from your cloud storage.')
            : el('ul', { class: 'files' }, shown.map(item));
    });
}

// ---- uploads -------------------------------------------------------------------

/** As the setting has it: its MB are of 1024 kB. */
const limit = () => `${(find('drop').dataset.max / 2 ** 20).toFixed(1).replace('.0', '')} MB`;

const waitingLine = [];
let working = false;

async function work() {
    if (working) return;
    working = true;
    let sent = 0;
    for (let next = waitingLine.shift(); next !== undefined; next = waitingLine.shift()) if (await send(next)) sent++;
    working = false;
    find('said').textContent = sent === 1 ? 'One file is uploaded.' : `${sent} files are uploaded.`;
    if (sent > 0) await refresh();
}

async function send({ file, category, bar, word, line }) {
    try {
        // What the server would not keep is not sent to it first.
        if (file.size > Number(find('drop').dataset.max)) throw new Failure(413, { message: 'the file is too large', details: `It has ${size(file.size)}; the limit is ${limit()}.` });
        if (file.size === 0) throw new Failure(400, { message: 'the file is empty', details: 'There is nothing in it that could be kept.' });
        word.textContent = '0 %';
        const { metadata } = await upload(file, category, (part) => {
            bar.value = part;
            word.textContent = part < 1 ? `${Math.round(part * 100)} %` : 'Reading…';
        });
        bar.value = 1;
        if (metadata.full_text === undefined && !metadata.found_type?.startsWith('image/')) {
            bar.remove();
            word.textContent = 'Kept, but not read';
            line.append(el('p', { class: 'small', role: 'alert' }, unread(metadata)), el('button', { type: 'button', class: 'button little quiet', click: () => line.remove() }, 'Dismiss'));
            return true;
        }
        word.textContent = 'Done';
        setTimeout(() => line.remove(), 4000);
        return true;
    } catch (error) {
        const [title, text] = explain(error);
        bar.remove();
        word.textContent = '';
        line.append(el('p', { class: 'bad small', role: 'alert' }, `${title} ${text}`), el('button', {
            type: 'button', class: 'button little',
            click: () => { line.remove(); take([file], category); },
        }, 'Try again', el('span', { class: 'hidden-text' }, ` ${file.name}`)),
        el('button', { type: 'button', class: 'button little quiet', click: () => line.remove() }, 'Dismiss'));
        return false;
    }
}

function take(files, category = document.querySelector('[name=category]:checked').value) {
    for (const file of files) {
        const bar = el('progress', { max: '1', value: '0', 'aria-label': `Upload of ${file.name}` });
        const word = el('span', {}, 'Waiting');
        const line = el('li', {}, el('div', { class: 'line' }, el('span', {}, file.name), word), bar);
        find('uploads').append(line);
        waitingLine.push({ file, category, bar, word, line });
    }
    work();
}

start(async () => {
    const zone = find('drop');
    find('drop-more').textContent += `, up to ${limit()}`;
    find('files').addEventListener('change', (event) => {
        take([...event.target.files]);
        event.target.value = '';
    });
    for (const name of ['dragenter', 'dragover']) {
        zone.addEventListener(name, (event) => {
            if (![...event.dataTransfer.types].includes('Files')) return;
            event.preventDefault();
            zone.classList.add('over');
        });
    }
    for (const name of ['dragleave', 'drop']) zone.addEventListener(name, () => zone.classList.remove('over'));
    zone.addEventListener('drop', (event) => {
        event.preventDefault();
        take([...event.dataTransfer.files]);
    });
    // A file that misses the zone must not take the page away.
    for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault());
    find('filter').addEventListener('change', () => refresh());
    find('more').addEventListener('click', () => refresh(true));
    await refresh();
});
