-- Search in one's own content, by index (26_search.sql).

-- SECURITY INVOKER and without a SET clause, so that the planner sees through
-- it: the caller's policies apply, and filters of an HTTP layer join the query.
-- In FROM, the question is put together once and not for each row.  tags alone
-- would be the column.
CREATE FUNCTION orla_api.search_content(query text, tags text[] DEFAULT NULL)
    RETURNS SETOF orla_api.content_library
    LANGUAGE sql STABLE PARALLEL SAFE
    SECURITY INVOKER
BEGIN ATOMIC
    SELECT c.user_id, c.id, c.title, c.content_type, c.content, c.status, c.platform, c.tags,
           c.media_url, c.metadata, c.created_at, c.updated_at, c.published_at, c.scheduled_for
      FROM orla.search_query(search_content.query, search_content.tags) AS question
      JOIN orla.content_library AS c ON c.search OPERATOR(orla.@@@) question
     ORDER BY ts_rank(c.search, question) DESC, c.created_at DESC, c.id;
END;
REVOKE ALL ON FUNCTION orla_api.search_content(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.search_content(text, text[]) TO orla_user, orla_gateway, orla_analyst;
COMMENT ON FUNCTION orla_api.search_content(text, text[]) IS
    'Your content that matches, best first.

query is what people type into a search box: words, "a phrase", or, -not; tags must all be there, upper or lower case. Neither words nor tags: nothing. Title, tags and the first 200,000 characters of the text are searched (100,000 where most letters take several bytes), without stemming, so that every language is treated alike. By index, also for somebody with very many rows. Analysts search all tenants granted to them.';
