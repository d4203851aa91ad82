// What somebody has who has worked with the pages for a while: for their looks.

export async function fillAccount(world, { id }) {
  const rows = (text, ...values) => world.database.sql(text, [id, ...values]);
  await rows(`INSERT INTO orla.content_library (user_id, title, content_type, content, status, platform, tags, created_at, updated_at)
    SELECT $1, title, kind, content, status, platform, tags::text[], now() - hours * interval '1 hour', now() - hours * interval '1 hour' FROM (VALUES
    ('Why we do not say premium', 'blog', 'Premium is what people say who have nothing to say about the thing itself. We would rather tell you who picked it, when, and what the weather was like that week.', 'draft', 'Website', '{voice}', 2),
    ('Three cups before noon', 'carousel', 'One: Assam, strong enough to stand up. Two: something green. Three: the one you have been looking forward to.', 'scheduled', 'Instagram', '{daily,brewing}', 20),
    ('A kettle is not a clock', 'social', 'Eighty degrees. Three minutes. Then leave it alone.', 'draft', 'LinkedIn', '{brewing}', 30),
    ('First flush: what the rain has to do with it', 'blog', 'The first leaves of spring are picked before the rain. We paid for them in February, when nobody knew yet what they would be.', 'published', 'Website', '{spring,darjeeling}', 60),
    ('From Darjeeling by train', 'video', 'Open on the platform at New Jalpaiguri, early. No music yet. A hand, a ticket, a sack with our name on it.', 'draft', 'YouTube', '{origin,film}', 90),
    ('What the second pot is for', 'social', 'The second pot is for whoever comes late.', 'archived', 'Instagram', '{}', 150))
    AS v (title, kind, content, status, platform, tags, hours)`);
  await rows(`INSERT INTO orla.content_calendar (user_id, title, content_type, scheduled_date, status, platform)
    SELECT $1, title, kind, date_trunc('day', now()) + days * interval '1 day' + hour * interval '1 hour', status, platform FROM (VALUES
    ('Three cups before noon', 'carousel', 1, 8, 'scheduled', 'Instagram'), ('A kettle is not a clock', 'social', 2, 11, 'scheduled', 'LinkedIn'),
    ('The spring letter', 'blog', 4, 7, 'scheduled', 'Newsletter'), ('First flush', 'blog', -3, 9, 'published', 'Website'), ('Last year''s campaign', 'social', -2, 9, 'cancelled', 'X'))
    AS v (title, kind, days, hour, status, platform)`);
  await rows(`INSERT INTO orla.brand_strategy (user_id, brand_voice, messaging_pillars, language_patterns, dos_and_donts, target_audience, content_themes, competitive_positioning, brand_colors, brand_fonts)
    VALUES ($1, '{"tone": "Calm and dry, never loud. Short words, and one thought to a sentence.", "personality": ["patient", "dry", "warm"], "key_characteristics": ["Names people and places", "Never sells"]}',
    '{Origin is people,Patience pays,"Less, but known"}',
    '{"writing_style": "As we pour: slowly, and to the brim.", "preferred_phrases": ["who picked it", "the week of the rain"], "vocabulary": ["leaf", "pot", "flush"]}',
    '{"dos": ["Say when and where", "Leave room"], "donts": ["Never say premium", "No exclamation marks"]}',
    '{"primary": "People who drink tea every day and would like to know where it is from.", "characteristics": ["Thirty to sixty", "Cook at home"]}',
    '{origin,craft,patience}', '{"unique_value": "We have bought from the same four gardens for twelve years.", "gaps_to_exploit": ["Nobody tells what the weather did"]}',
    '{"#12594f","#d98e4a","#f8f6f2"}', '{Inter,Source Serif}')`);
  const [{ id: leaf }] = await rows(`INSERT INTO orla.competitors (user_id, name, industry, location) VALUES ($1, 'Leaf & Sons', 'Tea', 'Hamburg'), ($1, 'The Daily Pot', 'Tea', 'London') RETURNING id`);
  await rows(`INSERT INTO orla.competitor_analyses (user_id, competitor_id, threat_level, strategic_summary, marketing_they_do_well)
    VALUES ($1, $2, 'medium', 'They sell variety, and say little about where it is from.', '{Fast to answer,A post a day}')`, leaf);
  await rows(`INSERT INTO orla.brand_voice_assets (user_id, filename, category, file_type, content_preview, file_size_bytes, metadata) VALUES
    ($1, 'Brand voice.docx', 'guidelines', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'We write as we pour: slowly, and to the brim.', 48213, '{"full_text": "We write as we pour: slowly, and to the brim. Short words."}'),
    ($1, 'Letters 2019–2024.txt', 'voice_samples', 'text/plain', 'Dear all', 120133, '{}'), ($1, 'Logo, round.svg', 'logos', 'image/svg+xml', NULL, 3120, '{}')`);
  await rows(`INSERT INTO orla.jobs (user_id, kind, status, progress, error, attempts, run_at, created_at) VALUES
    ($1, 'generate_content', 'running', 46, NULL, 1, now(), now()), ($1, 'analyze_brand', 'succeeded', 100, NULL, 1, now(), now() - interval '2 hours'),
    ($1, 'analyze_competitor', 'failed', 0, 'the model does not answer; given up after 10 attempts', 10, now(), now() - interval '1 day')`);
}
