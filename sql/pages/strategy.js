import {
    add, ago, area, badge, call, change, confirmThen, el, empty, field, fill, find, followJob, input, list, makeDialog, notice,
    onClick, onSubmit, openDialog, page, remove, show, showResult, start, tell, toast,
} from './core.js';

let strategy;

const lines = (text) => (text ?? '').split('\n').map((line) => line.trim()).filter((line) => line !== '');
const text = (value) => (typeof value === 'string' && value.trim() !== '' ? value : null);
const texts = (value) => (Array.isArray(value) ? value.filter((one) => typeof one === 'string' && one.trim() !== '') : []);

// ---- the strategy, read ------------------------------------------------------

const bullets = (items, kind = '') => el('ul', { class: `bullets ${kind}` }, items.map((item) => el('li', {}, item)));
const chips = (title, items) => (items.length === 0 ? null : el('div', {}, el('h3', {}, title), el('div', { class: 'row' }, items.map((item) => el('span', { class: 'tag' }, item)))));
const fact = (title, body, kind = '') => (body === null || body.length === 0 ? null
    : el('div', { class: kind }, el('h3', {}, title), Array.isArray(body) ? bullets(body) : el('p', {}, body)));

/** A colour as a dot: an SVG attribute, since styles in the page are not allowed. */
function swatch(colour) {
    if (!/^#[0-9a-f]{3,8}$/i.test(colour)) return el('li', {}, colour);
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 28 28');
    svg.setAttribute('aria-hidden', 'true');
    const dot = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [name, value] of Object.entries({ width: '28', height: '28', fill: colour })) dot.setAttribute(name, value);
    svg.append(dot);
    return el('li', {}, svg, el('code', {}, colour));
}

function read(s) {
    const voice = s.brand_voice ?? {};
    const language = s.language_patterns ?? {};
    const rules = s.dos_and_donts ?? {};
    const audience = s.target_audience ?? {};
    const position = s.competitive_positioning ?? {};
    const colours = texts(s.brand_colors);
    return el('div', { class: 'panel' }, el('div', { class: 'facts' },
        text(voice.tone) ? el('div', { class: 'full' }, el('h3', {}, 'Voice'), el('p', { class: 'said' }, voice.tone),
            el('div', { class: 'row' }, texts(voice.personality).map((one) => badge(one, 'accent')))) : null,
        fact('What makes it yours', texts(voice.key_characteristics)),
        fact('Every message rests on', texts(s.messaging_pillars)),
        fact('You speak to', text(audience.primary)),
        fact('They are', texts(audience.characteristics)),
        chips('You write about', texts(s.content_themes)),
        fact('You write like this', text(language.writing_style)),
        chips('Words and phrases', [...texts(language.preferred_phrases), ...texts(language.vocabulary)]),
        fact('What only you have', text(position.unique_value)),
        texts(rules.dos).length > 0 ? el('div', {}, el('h3', {}, 'Do'), bullets(texts(rules.dos))) : null,
        texts(rules.donts).length > 0 ? el('div', {}, el('h3', {}, 'Don’t'), bullets(texts(rules.donts), 'no')) : null,
        fact('Worth learning from others', texts(position.copy_and_adapt)),
        fact('What others leave open', texts(position.gaps_to_exploit)),
        fact('Better avoided', texts(position.avoid)),
        colours.length > 0 ? el('div', {}, el('h3', {}, 'Colours'), el('ul', { class: 'swatches' }, colours.map(swatch))) : null,
        chips('Fonts', texts(s.brand_fonts))),
    el('p', { class: 'small soft' }, el('br'), 'Last changed ', ago(s.updated_at)));
}

async function refresh() {
    await show(find('strategy'), async () => {
        [strategy] = await list('brand_strategy', { limit: 1 });
        find('edit').textContent = strategy ? 'Edit' : 'Write it myself';
        return strategy ? read(strategy) : empty('compass', 'No strategy yet',
            'Upload what you have, such as guidelines, texts that sound like you, or what you know of your customers, and have the strategy worked out from it. Or write it down yourself.',
            el('a', { class: 'button', href: page('brand-material') }, 'Bring in material'));
    });
}

// ---- written -----------------------------------------------------------------

const listField = (label, name, value, hint) => field(label, area(name, texts(value).join('\n')), { optional: true, hint: hint ?? 'One per line.' });

function edit() {
    let s = strategy ?? {};
    const group = (title, ...fields) => el('fieldset', { class: 'field' }, el('legend', {}, el('h3', {}, title)), el('div', { class: 'fields' }, el('span', {}), fields));
    const { dialog, form, leave } = makeDialog('Strategy', { wide: true, keeps: true }, [
        group('Voice',
            field('Tone', input('tone', s.brand_voice?.tone, { maxlength: '500', placeholder: 'Calm, dry, never loud' }), { optional: true }),
            el('div', { class: 'field side-by-side' }, listField('Personality', 'personality', s.brand_voice?.personality), listField('What makes it yours', 'key_characteristics', s.brand_voice?.key_characteristics))),
        group('Message',
            el('div', { class: 'field side-by-side' }, listField('Every message rests on', 'messaging_pillars', s.messaging_pillars), listField('You write about', 'content_themes', s.content_themes))),
        group('Audience',
            field('You speak to', input('primary', s.target_audience?.primary, { maxlength: '1000' }), { optional: true }),
            listField('They are', 'characteristics', s.target_audience?.characteristics)),
        group('Language',
            field('You write like this', area('writing_style', s.language_patterns?.writing_style), { optional: true }),
            el('div', { class: 'field side-by-side' }, listField('Phrases', 'preferred_phrases', s.language_patterns?.preferred_phrases), listField('Words', 'vocabulary', s.language_patterns?.vocabulary)),
            el('div', { class: 'field side-by-side' }, listField('Do', 'dos', s.dos_and_donts?.dos), listField('Don’t', 'donts', s.dos_and_donts?.donts))),
        group('Looks and position',
            field('What only you have', area('unique_value', s.competitive_positioning?.unique_value), { optional: true }),
            el('div', { class: 'field side-by-side' }, listField('Colours', 'brand_colors', s.brand_colors, 'One per line, such as #12594f.'), listField('Fonts', 'brand_fonts', s.brand_fonts))),
    ], [
        el('button', { type: 'button', class: 'button', click: () => leave() }, 'Close'),
        el('button', { class: 'button primary' }, 'Save'),
    ]);
    onSubmit(form, async (g) => {
        // what the form does not show stays as it was
        const row = {
            brand_voice: { ...s.brand_voice, tone: g.tone, personality: lines(g.personality), key_characteristics: lines(g.key_characteristics) },
            messaging_pillars: lines(g.messaging_pillars), content_themes: lines(g.content_themes),
            target_audience: { ...s.target_audience, primary: g.primary, characteristics: lines(g.characteristics) },
            language_patterns: { ...s.language_patterns, writing_style: g.writing_style, preferred_phrases: lines(g.preferred_phrases), vocabulary: lines(g.vocabulary) },
            dos_and_donts: { ...s.dos_and_donts, dos: lines(g.dos), donts: lines(g.donts) },
            competitive_positioning: { ...s.competitive_positioning, unique_value: g.unique_value },
            brand_colors: lines(g.brand_colors), brand_fonts: lines(g.brand_fonts),
        };
        if (s.id === undefined) {
            await add('brand_strategy', row);
        } else if (await change('brand_strategy', { id: `eq.${s.id}`, updated_at: `eq.${s.updated_at}` }, row) === undefined) {
            const [theirs] = await list('brand_strategy', { limit: 1 });
            fill(form.querySelector('.form-notice'), el('div', { class: 'conflict', role: 'alert' },
                el('div', {}, el('strong', {}, 'Your strategy was changed somewhere else meanwhile.'), el('p', {}, 'Perhaps in another tab, or by an analysis that has just ended.')),
                el('div', { class: 'row' },
                    el('button', { type: 'button', class: 'button', click: async () => { dialog.close(); await refresh(); edit(); } }, 'Take the other one'),
                    el('button', { type: 'button', class: 'button danger', click: () => { s = theirs ?? {}; form.requestSubmit(); } }, 'Keep mine instead'))));
            form.querySelector('.form-notice').scrollIntoView({ block: 'nearest' });
            return;
        }
        dialog.close();
        toast('Saved.');
        await refresh();
    });
    openDialog(dialog);
}

function analyze() {
    const { dialog, form } = makeDialog('Work out the strategy', {}, [
        el('p', {}, strategy ? 'What you have now is replaced by what is found in your material.' : 'From everything in your brand material.'),
        el('label', { class: 'check field' }, el('input', { type: 'checkbox', name: 'include_competitors', checked: true }), el('span', {}, 'Take your competitors into account')),
    ], [
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close'),
        el('button', { class: 'button primary' }, 'Start'),
    ]);
    onSubmit(form, async (given) => {
        const job = await call('analyze_brand', { include_competitors: given.include_competitors !== undefined });
        dialog.close();
        followJob(find('job'), job.job_id, 'Analysis of your brand', async ({ status }) => {
            if (status !== 'succeeded') return;
            tell(notice('good', 'Your strategy is worked out.', 'Read it, and change what does not fit.'));
            await refresh();
        });
    });
    openDialog(dialog);
}

// ---- competitors --------------------------------------------------------------

const THREATS = { low: ['Low threat', 'good'], medium: ['Medium threat', 'warn'], high: ['High threat', 'bad'] };

function about(c) {
    const { dialog } = makeDialog(c.name, { wide: true }, el('div', { class: 'facts' },
        text(c.strategic_summary) ? el('div', { class: 'full' }, el('p', { class: 'plain-text' }, c.strategic_summary)) : null,
        fact('They do well', texts(c.marketing_they_do_well)), fact('They miss', texts(c.gaps_they_miss)),
        fact('Their message', text(c.positioning_messaging)), fact('Room for you', texts(c.content_opportunities))),
    [el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close')]);
    dialog.showModal();
}

const competitor = (c) => el('li', {},
    el('div', { class: 'what' },
        c.analysis_id ? el('button', { type: 'button', class: 'title', click: () => about(c) }, c.name) : el('span', { class: 'title' }, c.name),
        el('span', { class: 'more' }, [c.industry, c.location].filter(Boolean).join(' · ') || 'No details', c.analyzed_at ? [' · analysed ', ago(c.analyzed_at)] : null)),
    c.threat_level ? badge(...THREATS[c.threat_level]) : null,
    el('div', { class: 'row' }, onClick(el('button', { type: 'button', class: 'button little' }, 'Analyse', el('span', { class: 'hidden-text' }, ` ${c.name}`)), async () => {
        const job = await call('analyze_competitor', { competitor_id: c.id });
        followJob(find('competitor-job'), job.job_id, `Analysis of ${c.name}`, refreshCompetitors);
    }),
    el('button', {
        type: 'button', class: 'button little quiet',
        click: () => confirmThen('Remove this competitor?', `“${c.name}” goes, and with it what was found out.`, 'Remove', async () => {
            await remove('competitors', { id: `eq.${c.id}` });
            await refreshCompetitors();
        }),
    }, 'Remove', el('span', { class: 'hidden-text' }, ` ${c.name}`))));

const refreshCompetitors = () => show(find('competitors'), async () => {
    const rows = await list('competitors_with_analysis', { order: 'name,id', limit: 200 });
    return rows.length === 0
        ? empty('compass', 'No competitors yet', 'Name those whom your customers also look at. What they leave open is room for you.')
        : el('ul', { class: 'list' }, rows.map(competitor));
});

function addCompetitor() {
    const { dialog, form, leave } = makeDialog('Add a competitor', { keeps: true }, el('div', { class: 'fields' },
        field('Name', input('name', '', { required: true, maxlength: '500' })),
        field('Industry', input('industry', '', { maxlength: '200' }), { optional: true }),
        field('Location', input('location', '', { maxlength: '200' }), { optional: true })), [
        el('button', { type: 'button', class: 'button', click: () => leave() }, 'Close'),
        el('button', { class: 'button primary' }, 'Add'),
    ]);
    onSubmit(form, async (given) => {
        await add('competitors', given);
        dialog.close();
        await refreshCompetitors();
    });
    openDialog(dialog);
}

// ---- what next ----------------------------------------------------------------

const seek = async (title, name, given = {}) => {
    const { job_id } = await call(name, given);
    followJob(find('market-job'), job_id, title, (job) => { if (job.status === 'succeeded') showResult(job); });
};

function research() {
    const { dialog, form } = makeDialog('Look at the market', {}, [
        el('p', {}, 'What moves your market, what people ask, and where there is room. It is from general knowledge: nothing is looked up.'),
        field('Of what in it?', input('topic', '', { maxlength: '300' }), { optional: true }),
    ], [
        el('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Close'),
        el('button', { class: 'button primary' }, 'Start'),
    ]);
    onSubmit(form, async ({ topic }) => {
        await seek('Market research', 'market_research', { topic });
        dialog.close();
    });
    openDialog(dialog);
}

start(async () => {
    onClick(find('keyword'), () => seek('Next keyword', 'next_keyword'));
    find('research').addEventListener('click', research);
    find('edit').addEventListener('click', edit);
    find('analyze').addEventListener('click', analyze);
    find('add').addEventListener('click', addCompetitor);
    await Promise.all([refresh(), refreshCompetitors()]);
});
