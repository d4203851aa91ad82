-- Providers of cloud storage: what orla knows of them, and what operators add.
-- A provider is a row, not an if: what differs between them is in these facts.

-- RFC 3986: everything but the unreserved characters, byte by byte.  In runs, since
-- most of what is encoded needs little of it.
CREATE FUNCTION orla.percent_encode(value text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN value !~ '[^A-Za-z0-9_.~-]' THEN value ELSE
        (SELECT string_agg(CASE WHEN m.run[1] ~ '^[A-Za-z0-9_.~-]' THEN m.run[1]
                                ELSE regexp_replace(upper(encode(convert_to(m.run[1], 'UTF8'), 'hex')), '(..)', E'%\\1', 'g') END, '' ORDER BY m.place)
           FROM regexp_matches(value, '[A-Za-z0-9_.~-]+|[^A-Za-z0-9_.~-]+', 'g') WITH ORDINALITY AS m (run, place)) END;
END
$$;
REVOKE ALL ON FUNCTION orla.percent_encode(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.percent_encode(text) TO orla_service;
COMMENT ON FUNCTION orla.percent_encode(text) IS
    'The value as it stands in a URL.';

-- {"a": "b c"} → a=b%20c
CREATE FUNCTION orla.url_query(parameters jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT coalesce(string_agg(orla.percent_encode(p.key) || '=' || orla.percent_encode(p.value), '&' ORDER BY p.key), '')
      FROM jsonb_each_text(parameters) AS p
     WHERE p.value IS NOT NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.url_query(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.url_query(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.url_query(jsonb) IS
    'The parameters as the query of a URL.';

-- Sources: the providers' own documentation of OAuth 2.0 and of their file APIs;
-- docs/providers.md explains each key.
CREATE FUNCTION orla.provider_defaults(provider text)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE provider
        WHEN 'google_drive' THEN jsonb_build_object(
            'label', 'Google Drive',
            'files', 'google_drive',
            'authorize_url', 'https://accounts.google.com/o/oauth2/v2/auth',
            -- Without both, Google gives a refresh token at the first consent only.
            'authorize_params', '{"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"}'::jsonb,
            'scopes', '["openid", "email", "https://www.googleapis.com/auth/drive.readonly"]'::jsonb,
            'token_url', 'https://oauth2.googleapis.com/token',
            'issuer', 'https://accounts.google.com',
            'revoke_url', 'https://oauth2.googleapis.com/revoke',
            'revoke_with', 'token',
            -- It ends every token of this person and this client.
            'revoke_reach', 'account',
            'account_url', 'https://openidconnect.googleapis.com/v1/userinfo',
            'account_method', 'GET',
            'account_id', '["sub"]'::jsonb,
            'account_email', '["email"]'::jsonb,
            'api_url', 'https://www.googleapis.com/drive/v3',
            'access_page', 'https://myaccount.google.com/connections',
            'hosts', '["accounts.google.com", "oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"]'::jsonb,
            'download_hosts', '[]'::jsonb)
        WHEN 'onedrive' THEN jsonb_build_object(
            'label', 'OneDrive',
            'files', 'onedrive',
            'authorize_url', 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
            'authorize_params', '{"response_mode": "query", "prompt": "select_account"}'::jsonb,
            'scopes', '["offline_access", "User.Read", "Files.Read.All"]'::jsonb,
            'token_url', 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
            'issuer', NULL,
            'revoke_url', NULL,
            'revoke_reach', 'none',
            'account_url', 'https://graph.microsoft.com/v1.0/me?$select=id,mail,userPrincipalName',
            'account_method', 'GET',
            'account_id', '["id"]'::jsonb,
            -- mail is null for personal accounts
            'account_email', '["mail", "userPrincipalName"]'::jsonb,
            'api_url', 'https://graph.microsoft.com/v1.0',
            'access_page', 'https://account.live.com/consent/Manage',
            'hosts', '["login.microsoftonline.com", "graph.microsoft.com"]'::jsonb,
            'download_hosts', '["*.files.1drv.com", "*.sharepoint.com", "*.microsoftpersonalcontent.com"]'::jsonb)
        WHEN 'dropbox' THEN jsonb_build_object(
            'label', 'Dropbox',
            'files', 'dropbox',
            'authorize_url', 'https://www.dropbox.com/oauth2/authorize',
            'authorize_params', '{"token_access_type": "offline"}'::jsonb,
            'scopes', '["account_info.read", "files.metadata.read", "files.content.read"]'::jsonb,
            'token_url', 'https://api.dropboxapi.com/oauth2/token',
            'issuer', NULL,
            'revoke_url', 'https://api.dropboxapi.com/2/auth/token/revoke',
            'revoke_with', 'bearer',
            -- It ends this grant alone.
            'revoke_reach', 'grant',
            'account_url', 'https://api.dropboxapi.com/2/users/get_current_account',
            'account_method', 'POST',
            'account_id', '["account_id"]'::jsonb,
            'account_email', '["email"]'::jsonb,
            'api_url', 'https://api.dropboxapi.com/2',
            'content_url', 'https://content.dropboxapi.com/2',
            'access_page', 'https://www.dropbox.com/account/connected_apps',
            'hosts', '["www.dropbox.com", "api.dropboxapi.com", "content.dropboxapi.com"]'::jsonb,
            'download_hosts', '[]'::jsonb)
    END;
END
$$;
REVOKE ALL ON FUNCTION orla.provider_defaults(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.provider_defaults(text) TO orla_service, orla_admin;
COMMENT ON FUNCTION orla.provider_defaults(text) IS
    'Orla''s own facts of a provider; NULL for one that it does not know.';

-- The facts of a provider that is configured, with its client_id.  Errors are
-- what a person who wants to connect should read.
CREATE FUNCTION orla.provider_facts(provider text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    configured orla.providers;
BEGIN
    SELECT * INTO configured FROM orla.providers AS p WHERE p.name = provider;
    IF FOUND THEN
        RETURN coalesce(orla.provider_defaults(provider), '{}') || configured.overrides
               || jsonb_build_object('name', provider, 'client_id', configured.client_id);
    END IF;
    IF orla.provider_defaults(provider) IS NULL THEN
        RAISE EXCEPTION 'unknown provider'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Known are google_drive, onedrive, dropbox and what operators added.';
    END IF;
    RAISE EXCEPTION 'provider % is not configured', provider
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'An operator has to run orla.configure_provider().';
END
$$;
REVOKE ALL ON FUNCTION orla.provider_facts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.provider_facts(text) TO orla_service;
COMMENT ON FUNCTION orla.provider_facts(text) IS
    'Defaults and overrides of a configured provider. Errors: 22023 for an unknown one, 55000 for one that is not configured.';

CREATE FUNCTION orla.client_secret(provider text)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT orla.unseal(p.client_secret, NULL, 'providers|' || p.name || '|client_secret')
      FROM orla.providers AS p WHERE p.name = provider AND p.client_secret IS NOT NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.client_secret(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.client_secret(text) TO orla_service;
COMMENT ON FUNCTION orla.client_secret(text) IS
    'The client secret of a provider, NULL for a public client.';

CREATE FUNCTION orla.host_of(url text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN lower((regexp_match(url, '^https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/|\?|$)'))[1]);
END
$$;
REVOKE ALL ON FUNCTION orla.host_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.host_of(text) TO orla_service;
COMMENT ON FUNCTION orla.host_of(text) IS
    'The host of a URL, NULL for what is no plain http or https URL.';

-- What is wrong with the facts of a provider, NULL if nothing is.
CREATE FUNCTION orla.provider_problem(facts jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    texts   text[] := '{label,files,authorize_url,token_url,issuer,revoke_url,revoke_with,revoke_reach,account_url,account_method,api_url,content_url,access_page,redirect_path}';
    lists   text[] := '{scopes,hosts,download_hosts,account_id,account_email}';
    f       record;
BEGIN
    IF jsonb_typeof(facts) <> 'object' THEN
        RETURN 'They must be an object.';
    END IF;
    FOR f IN SELECT * FROM jsonb_each(facts) LOOP
        IF f.key = ANY (texts) THEN
            IF jsonb_typeof(f.value) NOT IN ('string', 'null') THEN
                RETURN format('"%s" must be a text.', f.key);
            END IF;
        ELSIF f.key = ANY (lists) THEN
            IF jsonb_typeof(f.value) <> 'array' OR jsonb_path_exists(f.value, '$[*] ? (@.type() != "string")') THEN
                RETURN format('"%s" must be a list of texts.', f.key);
            END IF;
        ELSIF f.key = 'authorize_params' THEN
            IF jsonb_typeof(f.value) <> 'object' THEN
                RETURN '"authorize_params" must be an object.';
            END IF;
        ELSE
            RETURN format('"%s" is not known.', f.key);
        END IF;
    END LOOP;
    FOR f IN SELECT k AS key FROM unnest('{authorize_url,token_url,hosts,scopes}'::text[]) AS k WHERE facts ->> k IS NULL LOOP
        RETURN format('"%s" is missing.', f.key);
    END LOOP;
    FOR f IN SELECT k AS key, facts ->> k AS url FROM unnest('{authorize_url,token_url,revoke_url,account_url,api_url,content_url}'::text[]) AS k
              WHERE facts ->> k IS NOT NULL LOOP
        IF orla.host_of(f.url) IS NULL
           OR f.url !~ '^https://' AND NOT (current_setting('orla.allow_loopback_http')::boolean
                                            AND orla.host_of(f.url) IN ('127.0.0.1', 'localhost', '[::1]')) THEN
            RETURN format('"%s" must be an https URL.', f.key);
        END IF;
        IF NOT facts -> 'hosts' ? orla.host_of(f.url) THEN
            RETURN format('The host of "%s" is not in "hosts".', f.key);
        END IF;
    END LOOP;
    IF facts ->> 'redirect_path' !~ '^/[A-Za-z0-9._~/-]*$' THEN
        RETURN '"redirect_path" must be a plain path.';
    END IF;
    FOR f IN SELECT * FROM (VALUES ('revoke_with', '{token,client,bearer}'::text[]), ('revoke_reach', '{grant,account,none}'),
                                   ('account_method', '{GET,POST}')) AS v (key, known) LOOP
        IF facts ->> f.key <> ALL (f.known) THEN
            RETURN format('"%s" must be one of: %s.', f.key, array_to_string(f.known, ', '));
        END IF;
    END LOOP;
    IF facts ->> 'files' NOT IN ('google_drive', 'onedrive', 'dropbox') THEN
        RETURN '"files" must be google_drive, onedrive or dropbox: whose API the provider speaks.';
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.provider_problem(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.provider_problem(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.provider_problem(jsonb) IS
    'What is wrong with the facts of a provider; NULL if nothing is.';

-- SECURITY DEFINER: operators neither read nor write sealed columns.
CREATE FUNCTION orla.configure_provider(name text, client_id text, client_secret text, overrides jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text;
BEGIN
    IF name IS NULL OR name !~ '^[a-z][a-z0-9_]{0,62}$' THEN
        RAISE EXCEPTION 'invalid name of a provider'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It has lower-case letters, digits and underscores, and begins with a letter.';
    END IF;
    IF coalesce(client_id, '') = '' THEN
        RAISE EXCEPTION 'a provider needs a client_id'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    problem := orla.provider_problem(coalesce(orla.provider_defaults(name), '{}') || coalesce(overrides, '{}'));
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'invalid facts of provider %', name
            USING ERRCODE = 'invalid_parameter_value', DETAIL = problem;
    END IF;

    PERFORM orla.ensure_instance();
    INSERT INTO orla.providers AS p (name, client_id, client_secret, overrides)
    VALUES (configure_provider.name, configure_provider.client_id,
            orla.seal(nullif(client_secret, ''), NULL, 'providers|' || configure_provider.name || '|client_secret'),
            coalesce(configure_provider.overrides, '{}'))
    ON CONFLICT ON CONSTRAINT providers_pkey DO UPDATE
       SET client_id = excluded.client_id, client_secret = excluded.client_secret,
           overrides = excluded.overrides, updated_at = now();
    -- What waited for an operator is tried again.
    UPDATE orla.user_cloud_storage_tokens AS t SET next_request_at = now()
     WHERE t.provider = configure_provider.name AND t.status = 'needs_operator';
    PERFORM orla.audit('configure_provider', 'success', NULL,
                       jsonb_build_object('provider', configure_provider.name, 'by', session_user));
END
$$;
ALTER FUNCTION orla.configure_provider(text, text, text, jsonb) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.configure_provider(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.configure_provider(text, text, text, jsonb) TO orla_admin;
COMMENT ON FUNCTION orla.configure_provider(text, text, text, jsonb) IS
    'What this installation is registered as at a provider; the secret is sealed.

Again: takes the place of what was said before, and connections that waited for an operator are tried at once. overrides changes orla''s facts of the provider, or gives all of them for one that orla does not know. Leaves an audit row.

Errors: 22023.';
