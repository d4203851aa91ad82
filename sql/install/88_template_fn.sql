-- The model that is built in: composes texts from the strategy, without a network.
-- It invents nothing, and says at the head of each text that it was at work.

CREATE FUNCTION orla.template_notice()
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'Draft composed by a template from the brand strategy, without a language model. Edit before you publish.'
$$;
REVOKE ALL ON FUNCTION orla.template_notice() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_notice() TO orla_service;
COMMENT ON FUNCTION orla.template_notice() IS
    'First words of what the template composes.';

-- Texts of a list, wherever the value is none; duplicates and blanks left out.
CREATE FUNCTION orla.list_at(value jsonb, path text[], most int DEFAULT 20)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(x.said ORDER BY x.place), '{}')
      FROM (SELECT left(btrim(t.said), 300) AS said, min(t.place) AS place
              FROM jsonb_array_elements_text(CASE jsonb_typeof(value #> path) WHEN 'array' THEN value #> path ELSE '[]' END)
                   WITH ORDINALITY AS t (said, place)
             WHERE btrim(t.said) <> '' GROUP BY 1 ORDER BY 2 LIMIT most) AS x
$$;
REVOKE ALL ON FUNCTION orla.list_at(jsonb, text[], int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.list_at(jsonb, text[], int) TO orla_service;
COMMENT ON FUNCTION orla.list_at(jsonb, text[], int) IS
    'The texts of a list in an object; none where there is no list.';

CREATE FUNCTION orla.text_at(value jsonb, path text[], otherwise text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nullif(left(btrim(CASE WHEN jsonb_typeof(value #> path) IN ('string', 'number') THEN value #>> path END), 400), ''), otherwise)
$$;
REVOKE ALL ON FUNCTION orla.text_at(jsonb, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.text_at(jsonb, text[], text) TO orla_service;
COMMENT ON FUNCTION orla.text_at(jsonb, text[], text) IS
    'A text in an object, or another.';

CREATE FUNCTION orla.sentence(said text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT upper(left(t, 1)) || substr(t, 2) || CASE WHEN t ~ '[.!?…]$' THEN '' ELSE '.' END FROM btrim(said) AS t
$$;
REVOKE ALL ON FUNCTION orla.sentence(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sentence(text) TO orla_service;
COMMENT ON FUNCTION orla.sentence(text) IS
    'With a capital at its beginning and a full stop at its end.';

CREATE FUNCTION orla.slug_of(said text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nullif(btrim(left(regexp_replace(lower(said), '[^[:alnum:]]+', '-', 'g'), 80), '-'), ''), 'post')
$$;
REVOKE ALL ON FUNCTION orla.slug_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.slug_of(text) TO orla_service;
COMMENT ON FUNCTION orla.slug_of(text) IS
    'The text as the last part of an address.';

-- What every text is made of: the brief's wishes, else the strategy's.
CREATE FUNCTION orla.template_parts(brief jsonb, context jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'topic', left(orla.text_at(brief, '{topic}', orla.text_at(brief, '{keyword}', orla.text_at(brief, '{title}',
                     -- a theme that no recent title has
                     coalesce((SELECT t.said FROM unnest(orla.list_at(s, '{content_themes}')) WITH ORDINALITY AS t (said, place)
                                ORDER BY EXISTS (SELECT FROM unnest(orla.list_at(context, '{recent_titles}', 30)) AS r (title)
                                                  WHERE strpos(lower(r.title), lower(t.said)) > 0), t.place LIMIT 1),
                              (orla.list_at(s, '{messaging_pillars}'))[1], 'What we stand for')))), 120),
        'keyword', left(orla.text_at(brief, '{keyword}', ''), 60),
        'audience', rtrim(orla.text_at(s, '{target_audience,primary}', 'the people we work for'), '.'),
        'tone', orla.text_at(s, '{brand_voice,tone}', 'clear and friendly'),
        'value', orla.text_at(s, '{competitive_positioning,unique_value}', ''),
        'pillars', to_jsonb(CASE WHEN orla.list_at(s, '{messaging_pillars}') <> '{}' THEN orla.list_at(s, '{messaging_pillars}', 5)
                                 ELSE '{What we do and why}'::text[] END),
        'outline', to_jsonb(orla.list_at(brief, '{outline}', 12)),
        'phrases', to_jsonb(orla.list_at(s, '{language_patterns,preferred_phrases}', 6)),
        'dos', to_jsonb(orla.list_at(s, '{dos_and_donts,dos}', 6)),
        'traits', to_jsonb(orla.list_at(s, '{brand_voice,key_characteristics}', 6)),
        'needs', to_jsonb(orla.list_at(s, '{target_audience,characteristics}', 6)),
        'tags', to_jsonb((SELECT array_agg(left(lower(t.said), 60)) FROM unnest(orla.list_at(s, '{content_themes}', 5)) AS t (said))),
        'call', orla.text_at(brief, '{call_to_action}', 'Tell us what you think, or ask us what you would like to know.'))
      FROM (SELECT coalesce(context -> 'strategy', '{}')) AS strategy (s)
$$;
REVOKE ALL ON FUNCTION orla.template_parts(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_parts(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_parts(jsonb, jsonb) IS
    'What the template composes a text of.';

-- A section for each wish of the brief's outline, else for each pillar.
CREATE FUNCTION orla.template_blog(p jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH sections AS (
        SELECT h.place, h.place::int - 1 AS n, rtrim(h.heading, '.') AS heading,
               CASE WHEN p ->> 'outline' <> '[]' THEN p -> 'pillars' ->> (h.place::int - 1) END AS pillar
          FROM jsonb_array_elements_text(CASE WHEN p ->> 'outline' <> '[]' THEN p -> 'outline' ELSE p -> 'pillars' END)
               WITH ORDINALITY AS h (heading, place)
    ), body AS (
        SELECT concat_ws(E'\n\n',
            '> ' || orla.template_notice(),
            orla.sentence(p ->> 'topic') || ' Written for: ' || orla.sentence(p ->> 'audience'),
            CASE WHEN p ->> 'value' <> '' THEN 'What we bring to it: ' || orla.sentence(p ->> 'value') END,
            (SELECT string_agg(concat_ws(E'\n\n',
                        '## ' || s.heading,
                        concat_ws(' ', orla.sentence(s.pillar), orla.sentence(p -> 'traits' ->> s.n),
                                  format('%s is where this shows first.', initcap(left(p ->> 'topic', 1)) || substr(rtrim(p ->> 'topic', '.'), 2))),
                        'Why it matters to you: ' || orla.sentence(p -> 'needs' ->> s.n),
                        'In our words: ' || orla.sentence(p -> 'phrases' ->> s.n),
                        'How we go about it: ' || orla.sentence(p -> 'dos' ->> s.n)), E'\n\n' ORDER BY s.n)
               FROM sections AS s),
            '## Where to go from here' || CASE WHEN p ->> 'keyword' <> '' THEN ' with ' || (p ->> 'keyword') ELSE '' END,
            orla.sentence(p ->> 'call')) AS said
    )
    SELECT jsonb_build_object(
        'title', left(p ->> 'topic', 200), 'slug', orla.slug_of(p ->> 'topic'), 'meta_title', left(p ->> 'topic', 60),
        'meta_description', left(orla.sentence(p ->> 'topic') || ' Written for: ' || (p ->> 'audience'), 155),
        'category', coalesce(p -> 'tags' ->> 0, 'general'), 'tags', CASE WHEN p ->> 'tags' IS NULL THEN '["general"]' ELSE p -> 'tags' END,
        'read_time', greatest(1, cardinality(string_to_array(b.said, ' ')) / 200), 'body', b.said, 'call_to_action', p ->> 'call',
        'faq', jsonb_build_array(jsonb_build_object('question', 'Who is this for?', 'answer', orla.sentence(p ->> 'audience'))))
      FROM body AS b
$$;
REVOKE ALL ON FUNCTION orla.template_blog(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_blog(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_blog(jsonb) IS
    'A blog post from the parts.';

CREATE FUNCTION orla.template_carousel(p jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'title', left(p ->> 'topic', 200), 'call_to_action', p ->> 'call', 'tags', p -> 'tags',
        'caption', concat_ws(E'\n\n', orla.template_notice(), orla.sentence(p ->> 'topic') || ' Written for: ' || orla.sentence(p ->> 'audience')),
        'slides', jsonb_build_array(jsonb_build_object('heading', left(p ->> 'topic', 200), 'text', 'For: ' || orla.sentence(p ->> 'audience')))
            || (SELECT jsonb_agg(jsonb_build_object('heading', left(s.pillar, 200),
                           'text', orla.sentence(coalesce(p -> 'traits' ->> (s.n::int - 1), p -> 'needs' ->> (s.n::int - 1), p -> 'dos' ->> (s.n::int - 1), s.pillar))) ORDER BY s.n)
                  FROM jsonb_array_elements_text(p -> 'pillars') WITH ORDINALITY AS s (pillar, n))
            || jsonb_build_array(jsonb_build_object('heading', 'And you?', 'text', orla.sentence(p ->> 'call'))))
$$;
REVOKE ALL ON FUNCTION orla.template_carousel(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_carousel(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_carousel(jsonb) IS
    'A carousel from the parts.';

CREATE FUNCTION orla.template_social(p jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'title', left(p ->> 'topic', 200), 'call_to_action', p ->> 'call',
        'caption', concat_ws(E'\n\n', orla.template_notice(), orla.sentence(p ->> 'topic'), orla.sentence(p -> 'pillars' ->> 0),
                             orla.sentence(p -> 'phrases' ->> 0)),
        'hashtags', (SELECT jsonb_agg(left(regexp_replace(initcap(t.tag), '[^[:alnum:]]+', '', 'g'), 60) ORDER BY t.n)
                       FROM jsonb_array_elements_text(CASE WHEN p ->> 'tags' IS NULL THEN '[]' ELSE p -> 'tags' END) WITH ORDINALITY AS t (tag, n)
                      WHERE t.tag ~ '[[:alnum:]]'))
$$;
REVOKE ALL ON FUNCTION orla.template_social(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_social(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_social(jsonb) IS
    'A caption from the parts.';

CREATE FUNCTION orla.template_video(p jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'title', left(p ->> 'topic', 200), 'hook', orla.sentence(p ->> 'topic'), 'call_to_action', p ->> 'call', 'tags', p -> 'tags',
        'caption', orla.template_notice(), 'duration_seconds', 10 + 10 * jsonb_array_length(p -> 'pillars'),
        'scenes', (SELECT jsonb_agg(jsonb_build_object('visual', format('Title on screen: %s', s.pillar),
                              'narration', concat_ws(' ', orla.sentence(s.pillar), orla.sentence(p -> 'phrases' ->> (s.n::int - 1)))) ORDER BY s.n)
                     FROM jsonb_array_elements_text(p -> 'pillars') WITH ORDINALITY AS s (pillar, n)))
$$;
REVOKE ALL ON FUNCTION orla.template_video(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_video(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_video(jsonb) IS
    'A video script from the parts.';

-- ---- analyses ---------------------------------------------------------------

-- Words that the material uses most, without those that every text has.
CREATE FUNCTION orla.frequent_words(said text, most int)
    RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(f.word ORDER BY f.n DESC, f.word), '{}')
      FROM (SELECT w.word, count(*) AS n
              FROM regexp_split_to_table(lower(left(said, 200000)), '[^[:alpha:]''-]+') AS w (word)
             WHERE char_length(w.word) BETWEEN 5 AND 30
               AND w.word <> ALL ('{about,always,avoid,brand,colour,colours,color,colors,could,don''t,every,never,other,others,people,please,should,their,there,these,those,unlike,voice,would,write}')
             GROUP BY w.word HAVING length(to_tsvector('english', w.word)) > 0
             ORDER BY n DESC, w.word LIMIT most) AS f
$$;
REVOKE ALL ON FUNCTION orla.frequent_words(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.frequent_words(text, int) TO orla_service;
COMMENT ON FUNCTION orla.frequent_words(text, int) IS
    'The words that a text uses most.';

-- Split once, since that is what takes the worker's time.
CREATE FUNCTION orla.sentences_of(said text)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(x.said ORDER BY x.place), '{}')
      FROM (SELECT s.said, min(s.place) AS place
              FROM (SELECT left(btrim(r.said, E' \t\r-*•#>'), 300) AS said, r.place
                      FROM regexp_split_to_table(sentences_of.said, E'[\n\r]+|(?<=[.!?])[ \t]+') WITH ORDINALITY AS r (said, place)) AS s
             WHERE char_length(s.said) >= 8
             GROUP BY s.said) AS x
$$;
REVOKE ALL ON FUNCTION orla.sentences_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sentences_of(text) TO orla_service;
COMMENT ON FUNCTION orla.sentences_of(text) IS
    'The sentences of a text, each once.';

-- Sentences of the material that look like what is wanted, as they stand.
CREATE FUNCTION orla.sentences_like(sentences text[], pattern text, most int)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array(SELECT s.said FROM unnest(sentences) WITH ORDINALITY AS s (said, place)
                  WHERE s.said ~* pattern ORDER BY s.place LIMIT most)
$$;
REVOKE ALL ON FUNCTION orla.sentences_like(text[], text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sentences_like(text[], text, int) TO orla_service;
COMMENT ON FUNCTION orla.sentences_like(text[], text, int) IS
    'Sentences that match a pattern.';

-- Reads the beginning of each file, and of all together so much: the worker, which
-- does nothing else meanwhile, is everybody's.
CREATE FUNCTION orla.template_strategy(context jsonb)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'brand_voice', jsonb_build_object(
            'tone', concat_ws(', ', CASE WHEN m.said LIKE '%!%' THEN 'lively' ELSE 'calm' END,
                              CASE WHEN m.said ~* '\myou(r)?\M' THEN 'speaking to the reader' END),
            -- such words where the material has them
            'personality', to_jsonb(coalesce(nullif(array(
                SELECT w.word FROM regexp_split_to_table('bold calm clear confident curious direct elegant expert friendly helpful honest human modern playful premium professional quiet simple sustainable traditional warm', ' ') AS w (word)
                 WHERE m.wanted ~* ('\m' || w.word || '(ly|er|est)?\M') LIMIT 6), '{}'), '{plain-spoken}')),
            'key_characteristics', to_jsonb(ARRAY[CASE WHEN m.n_words > 18 * m.n_sentences THEN 'Takes its time to explain' ELSE 'Keeps sentences short' END])),
        'messaging_pillars', to_jsonb(coalesce(nullif(orla.sentences_like(m.sentences, '\m(we|our|us)\M', 5), '{}'),
                                               nullif(orla.sentences_like(m.sentences, '.', 3), '{}'), '{What we do and why}')),
        'language_patterns', jsonb_build_object(
            'writing_style', format('About %s words a sentence, as in the material.', greatest(1, m.n_words / greatest(1, m.n_sentences))),
            'vocabulary', to_jsonb(m.words)),
        'dos_and_donts', jsonb_build_object(
            'dos', to_jsonb(orla.sentences_like(m.sentences, '^(do|always|use|be|keep|write|say|speak)\M(?! not)', 10)),
            'donts', to_jsonb(orla.sentences_like(m.sentences, '^(do not|don.t|never|avoid|no)\M', 10))),
        'target_audience', jsonb_build_object(
            'primary', coalesce((orla.sentences_like(m.for_whom, '.', 1))[1],
                                (orla.sentences_like(m.sentences, '\m(audience|customers?|clients?|readers?|for people)\M', 1))[1], 'Not said in the material'),
            'characteristics', to_jsonb((orla.sentences_like(m.for_whom, '.', 5))[2:])),
        'content_themes', to_jsonb(CASE WHEN m.words <> '{}' THEN m.words[1:8] ELSE '{general}'::text[] END),
        'competitive_positioning', jsonb_build_object(
            'unique_value', coalesce((orla.sentences_like(m.sentences, '\m(only|unique|unlike|first|different)\M', 1))[1],
                                     (orla.sentences_like(m.sentences, '\m(we|our)\M', 1))[1], 'Not said in the material'),
            'gaps_to_exploit', to_jsonb(array(SELECT DISTINCT g.said FROM jsonb_path_query(context, '$.competitors[*].analysis.gaps[*] ? (@.type() == "string")') AS q (value)
                                               CROSS JOIN LATERAL (SELECT left(q.value #>> '{}', 400)) AS g (said) ORDER BY 1 LIMIT 10))),
        'brand_colors', to_jsonb((orla.colors_in(m.said))[:8]), 'brand_fonts', to_jsonb((orla.fonts_in(m.said))[:8]))
      FROM (SELECT u.*, orla.sentences_of(u.audience) AS for_whom, orla.frequent_words(u.wanted, 15) AS words,
                   regexp_count(u.said, '\s+') + 1 AS n_words, regexp_count(u.said, '[.!?]+\s') + 1 AS n_sentences
              FROM (SELECT t.said, t.audience, s.sentences,
                           -- what is not to be done or said gives no words
                           array_to_string(orla.sentences_like(s.sentences, '^(?!(do not|don.t|never|avoid|no)\M)', 24000), E'\n') AS wanted
                      FROM (SELECT left(coalesce(string_agg(left(a.asset ->> 'text', 8000), E'\n' ORDER BY a.n), ''), 24000) AS said,
                                   left(coalesce(string_agg(left(a.asset ->> 'text', 8000), E'\n' ORDER BY a.n)
                                                     FILTER (WHERE a.asset ->> 'category' = 'target_audience_insights'), ''), 8000) AS audience
                              FROM jsonb_array_elements(context -> 'material') WITH ORDINALITY AS a (asset, n)) AS t
                     CROSS JOIN LATERAL (SELECT orla.sentences_of(t.said) AS sentences OFFSET 0) AS s
                    OFFSET 0) AS u
            OFFSET 0) AS m      -- each is told once, not where it is used
$$;
REVOKE ALL ON FUNCTION orla.template_strategy(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_strategy(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_strategy(jsonb) IS
    'A strategy of the material''s own sentences and most frequent words.';

CREATE FUNCTION orla.template_research(kind text, payload jsonb, context jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE kind
        WHEN 'analyze_competitor' THEN jsonb_build_object(
            'positioning_messaging', format('Nothing is known of how %s positions itself.', orla.text_at(context, '{competitor,name}', 'it')),
            'content_opportunities', to_jsonb(coalesce(nullif(orla.list_at(context, '{strategy,content_themes}', 5), '{}'), '{Write about what you know best}')),
            'threat_level', 'medium',
            'strategic_summary', concat_ws(' ', orla.template_notice(),
                concat_ws(', ', orla.text_at(context, '{competitor,name}', 'The competitor'), orla.text_at(context, '{competitor,industry}', NULL),
                          orla.text_at(context, '{competitor,location}', NULL)) || ':',
                'answer with what sets you apart: ' || orla.sentence(orla.text_at(context, '{strategy,competitive_positioning,unique_value}', 'not written down yet'))))
        WHEN 'next_keyword' THEN jsonb_build_object(
            'keyword', p ->> 'topic', 'search_intent', 'informational', 'title', p ->> 'topic',
            'reason', orla.template_notice() || ' It is a theme of the strategy that no recent title is about.',
            'related', to_jsonb(orla.list_at(context, '{strategy,content_themes}', 5)))
        WHEN 'market_research' THEN jsonb_build_object(
            'topic', orla.text_at(payload, '{topic}', p ->> 'topic'),
            'summary', orla.template_notice() || ' It has no knowledge of the market: these are the strategy''s own themes, to look into.',
            'trends', p -> 'pillars', 'opportunities', p -> 'pillars',
            'audience_questions', jsonb_build_array(format('What does %s want to know about %s?', p ->> 'audience', p ->> 'topic'))) END
      FROM orla.template_parts('{}', context) AS p
$$;
REVOKE ALL ON FUNCTION orla.template_research(text, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_research(text, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_research(text, jsonb, jsonb) IS
    'What can be said of competitors and markets without a model: what the strategy says.';

-- In the shape that a model's answer has to have; a text of the strategy that is
-- longer than there is room for is cut.
CREATE FUNCTION orla.template_answer(kind text, payload jsonb, context jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shape   jsonb := orla.result_shape(kind, payload ->> 'content_type');
    parts   jsonb := orla.template_parts(payload -> 'brief', context);
    answer  jsonb;
    problem text;
BEGIN
    answer := CASE
        WHEN kind = 'analyze_brand' THEN orla.template_strategy(context)
        WHEN kind <> 'generate_content' THEN orla.template_research(kind, payload, context)
        WHEN payload ->> 'content_type' = 'blog' THEN orla.template_blog(parts)
        WHEN payload ->> 'content_type' = 'carousel' THEN orla.template_carousel(parts)
        WHEN payload ->> 'content_type' = 'social' THEN orla.template_social(parts)
        ELSE orla.template_video(parts) END;
    problem := orla.shape_problem(answer, shape);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the template cannot make it: %', problem
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN orla.shaped(answer, shape);
END
$$;
REVOKE ALL ON FUNCTION orla.template_answer(text, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.template_answer(text, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.template_answer(text, jsonb, jsonb) IS
    'What the template composes for a job, in the shape of a model''s answer.';
