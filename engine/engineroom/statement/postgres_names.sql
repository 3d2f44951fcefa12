-- Writes postgres_names.txt, which is beside this file, from what a real server knows:
--
--     psql -XAtq -f postgres_names.sql > postgres_names.txt
--
-- tests/postgres/test_statement.py holds the two together.
--
-- A name is harmless when each built-in function of that name is: it is immutable or
-- stable, or on the list below of those that are volatile and yet change nothing.
-- Another list takes out what is called stable and does change something or runs what
-- somebody else wrote.
--
-- A function of somebody's own may have the name of a built-in one and other arguments.
-- So what is hardly ever called is left out: what only the server itself calls (`charge`
-- is `>=` of the type "char"), what takes nothing but geometry and addresses of networks
-- (`broadcast`, `path`), and a few words that people give to functions that write.
WITH inner_one AS (
    SELECT amproc AS oid FROM pg_catalog.pg_amproc
    UNION
    SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
                        aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn])
    FROM pg_catalog.pg_aggregate
    UNION
    SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout,
                        typanalyze, typsubscript])
    FROM pg_catalog.pg_type
    UNION
    SELECT objoid FROM pg_catalog.pg_description
    WHERE classoid = 'pg_catalog.pg_proc'::regclass
      AND description LIKE 'implementation of %'
),
special AS (
    SELECT '{box,circle,cidr,inet,line,lseg,macaddr,macaddr8,path,point,polygon}'
           ::regtype[]::oid[]
),
of_name AS (
    SELECT proname::text AS name,
           bool_and(
               provolatile <> 'v' AND prokind <> 'p'
               AND NOT proname ~ '^(binary_upgrade|lo|pg_advisory|pg_event_trigger)_'
               AND NOT proname ~ '_to_xml(schema|_and_xmlschema)?$'
               AND proname NOT IN ('pg_current_xact_id', 'txid_current')
               OR proname IN (
                   'clock_timestamp', 'current_query', 'gen_random_uuid',
                   'pg_blocking_pids', 'pg_current_wal_flush_lsn',
                   'pg_current_wal_insert_lsn', 'pg_current_wal_lsn',
                   'pg_database_size', 'pg_indexes_size', 'pg_is_in_recovery',
                   'pg_is_wal_replay_paused', 'pg_last_wal_receive_lsn',
                   'pg_last_wal_replay_lsn', 'pg_last_xact_replay_timestamp',
                   'pg_partition_ancestors', 'pg_partition_tree',
                   'pg_relation_size', 'pg_sleep', 'pg_sleep_for', 'pg_sleep_until',
                   'pg_table_size', 'pg_tablespace_size', 'pg_total_relation_size',
                   'random', 'timeofday'
               )
           ) AS is_harmless,
           bool_and(p.oid IN (TABLE inner_one))
               AND proname NOT IN ('array_cat', 'starts_with')
               OR proname IN ('convert', 'log', 'reverse', 'sign')
               OR bool_and(pronargs > 0 AND proargtypes::oid[] <@ (TABLE special))
               AS is_rare,
           bool_or(pronargs >= 1 AND pronargs - pronargdefaults <= 1) AS takes_one
    FROM pg_catalog.pg_proc AS p
    WHERE pronamespace = 'pg_catalog'::regnamespace
      AND oid < 16384 -- the server's own: users' begin here
      AND NOT proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[]
      AND prorettype NOT IN (
          'cstring'::regtype, 'event_trigger'::regtype, 'internal'::regtype,
          'language_handler'::regtype, 'trigger'::regtype
      )
    GROUP BY proname
),
listed (place, line) AS (
    SELECT 1, '# PostgreSQL ' || current_setting('server_version_num')::int / 10000
              || ', by postgres_names.sql'
    UNION ALL
    SELECT 2, '# keywords'
    UNION ALL
    SELECT 3, word FROM pg_catalog.pg_get_keywords()
    UNION ALL
    SELECT 4, '# harmless'
    UNION ALL
    SELECT 5, name FROM of_name WHERE is_harmless AND NOT is_rare
    UNION ALL
    SELECT 6, '# not harmless, and called by `value.name` too'
    UNION ALL
    SELECT 7, name FROM of_name WHERE NOT is_harmless AND takes_one
)
SELECT line FROM listed ORDER BY place, line COLLATE "C";
