import { JOB_KINDS, JOB_STATUSES, JOB_TONES, ago, badge, call, el, empty, find, isOver, list, onClick, page, sentence, show, showResult, start, toast } from './core.js';

let timer;

function resultOf(job) {
    if (job.status !== 'succeeded') return null;
    if (job.kind === 'generate_content' && job.result_id) return el('a', { class: 'button little', href: page('library', `#id=${job.result_id}`) }, 'Open the draft');
    if (job.kind === 'analyze_brand' || job.kind === 'analyze_competitor') return el('a', { class: 'button little', href: page('strategy') }, 'See the result');
    if (job.result) return el('button', { type: 'button', class: 'button little', click: () => showResult(job) }, 'See the result');
    return null;
}

function cancelButton(job) {
    const button = el('button', { type: 'button', class: 'button little' }, 'Cancel', el('span', { class: 'hidden-text' }, ` ${JOB_KINDS[job.kind] ?? job.kind}`));
    return onClick(button, async () => {
        await call('cancel_job', { job_id: job.id });
        toast('Cancelled.');
        await refresh();
    });
}

const used = (job) => job.input_tokens || job.output_tokens ? ` · ${Number(job.input_tokens ?? 0) + Number(job.output_tokens ?? 0)} tokens` : '';

const item = (job) => el('li', {},
    el('div', { class: 'what' },
        el('span', { class: 'title' }, JOB_KINDS[job.kind] ?? job.kind),
        el('span', { class: 'more' }, ago(job.created_at), job.attempts > 1 ? ` · attempt ${job.attempts}` : '', job.model ? ` · ${job.model}` : '', used(job)),
        job.error ? el('span', { class: 'more' }, sentence(job.error)) : null,
        job.status === 'running' ? el('progress', { max: '100', value: job.progress, 'aria-label': `${JOB_KINDS[job.kind] ?? job.kind}: progress` }) : null),
    badge(job.status === 'running' ? `${job.progress} %` : JOB_STATUSES[job.status] ?? job.status, `dot ${JOB_TONES[job.status] ?? ''}`),
    isOver(job.status) ? resultOf(job) : cancelButton(job));

async function refresh() {
    clearTimeout(timer);
    let running = false;
    await show(find('jobs'), async () => {
        const rows = await list('my_jobs', { order: 'created_at.desc,id', limit: 50 });
        running = rows.some((job) => !isOver(job.status));
        return rows.length === 0
            ? empty('spark', 'Nothing yet', 'Drafts and analyses that you ask for are listed here.', el('a', { class: 'button', href: page('library', '#write') }, 'Create a draft'))
            : el('ul', { class: 'list' }, rows.map(item));
    });
    // Focus is not taken away from a button that somebody is about to press.
    timer = setTimeout(() => (find('jobs').contains(document.activeElement) ? refreshLater() : refresh()), running ? 1500 : 15000);
}

function refreshLater() {
    timer = setTimeout(refresh, 1500);
}

start(refresh);
