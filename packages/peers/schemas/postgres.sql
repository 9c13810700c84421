-- The schema that AllocDB is compared with: three tables, and one function for each command, each called as a transaction
-- of its own. A function saves the round trips of a transaction of several statements; its plans are kept.
--
-- An operation's unique id makes a command idempotent: the first answer is stored with what was asked, refusals too, and
-- the same id gives that answer again, or a conflict where something else is asked. Two transactions with the same new id
-- at the same time: the second waits for the first and fails by the unique index; repeated, it gets the stored answer.
--
-- A hold whose deadline has passed is taken over by the next reserve of its resource. Codes, and the kinds 2 reserve,
-- 3 confirm, 4 release, are those of AllocDB: 1 ok, 5 resource not found, 6 resource busy, 9 reservation not found,
-- 13 operation conflict, 14 invalid state, 15 holder mismatch. States: 1 reserved, 2 confirmed, 3 released, 4 expired.

-- Room in each page, so that updates stay in it and touch no index.
CREATE TABLE resources (
  id uuid PRIMARY KEY,
  reservation bigint
) WITH (fillfactor = 50);

CREATE TABLE reservations (
  id bigint PRIMARY KEY,
  resource uuid NOT NULL,
  holder uuid NOT NULL,
  state smallint NOT NULL,
  deadline timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE SEQUENCE reservation_ids;

CREATE TABLE operations (
  id uuid PRIMARY KEY,
  kind smallint NOT NULL,
  code smallint NOT NULL,
  resource uuid,
  reservation bigint,
  holder uuid NOT NULL,
  ttl_ms bigint
);

CREATE FUNCTION reserve(op uuid, wanted uuid, who uuid, ttl bigint, OUT code int, OUT granted bigint)
LANGUAGE plpgsql AS $$
DECLARE
  seen operations;
  held bigint;
BEGIN
  SELECT * INTO seen FROM operations WHERE id = op;
  IF FOUND THEN
    IF seen.kind = 2 AND seen.resource = wanted AND seen.holder = who AND seen.ttl_ms = ttl THEN
      code := seen.code;
      granted := seen.reservation;
    ELSE
      code := 13;
    END IF;
    RETURN;
  END IF;
  code := 6;
  SELECT reservation INTO held FROM resources WHERE id = wanted;
  IF NOT FOUND THEN
    code := 5;
  ELSIF held IS NOT NULL THEN
    -- A loser takes no lock: only a hold that is overdue is worth one.
    UPDATE reservations SET state = 4 WHERE id = held AND state = 1 AND deadline <= now();
    IF FOUND THEN
      UPDATE resources SET reservation = NULL WHERE id = wanted AND reservation = held;
      held := NULL;
    END IF;
  END IF;
  IF code = 6 AND held IS NULL THEN
    granted := nextval('reservation_ids');
    UPDATE resources SET reservation = granted WHERE id = wanted AND reservation IS NULL;
    IF FOUND THEN
      code := 1;
      INSERT INTO reservations VALUES (granted, wanted, who, 1, now() + ttl * interval '1 millisecond');
    ELSE
      granted := NULL;
    END IF;
  END IF;
  INSERT INTO operations VALUES (op, 2, code, wanted, granted, who, ttl);
END
$$;

-- What a command on a reservation is refused with, when its update has found nothing to do.
CREATE FUNCTION refusal(lease bigint, who uuid) RETURNS int
LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT CASE WHEN holder <> who THEN 15 ELSE 14 END FROM reservations WHERE id = lease), 9)
$$;

CREATE FUNCTION confirm(op uuid, lease bigint, who uuid, OUT code int, OUT granted bigint)
LANGUAGE plpgsql AS $$
DECLARE
  seen operations;
BEGIN
  SELECT * INTO seen FROM operations WHERE id = op;
  IF FOUND THEN
    code := CASE WHEN seen.kind = 3 AND seen.reservation = lease AND seen.holder = who THEN seen.code ELSE 13 END;
    RETURN;
  END IF;
  UPDATE reservations SET state = 2 WHERE id = lease AND holder = who AND state = 1;
  IF FOUND THEN
    code := 1;
  ELSE
    code := refusal(lease, who);
  END IF;
  INSERT INTO operations VALUES (op, 3, code, NULL, lease, who, NULL);
END
$$;

CREATE FUNCTION release(op uuid, lease bigint, who uuid, OUT code int, OUT granted bigint)
LANGUAGE plpgsql AS $$
DECLARE
  seen operations;
  freed uuid;
BEGIN
  SELECT * INTO seen FROM operations WHERE id = op;
  IF FOUND THEN
    code := CASE WHEN seen.kind = 4 AND seen.reservation = lease AND seen.holder = who THEN seen.code ELSE 13 END;
    RETURN;
  END IF;
  UPDATE reservations SET state = 3 WHERE id = lease AND holder = who AND state IN (1, 2) RETURNING resource INTO freed;
  IF FOUND THEN
    code := 1;
    UPDATE resources SET reservation = NULL WHERE id = freed AND reservation = lease;
  ELSE
    code := refusal(lease, who);
  END IF;
  INSERT INTO operations VALUES (op, 4, code, NULL, lease, who, NULL);
END
$$;

-- Many commands in one transaction, as sets: several times as fast as calling the functions above in a loop. They are
-- taken as if all came at the same time: of two reserves of one resource the first wins, and a command does not see what
-- another of its batch has done. Holds that are overdue are left to single reserves. Operations must be different ones.
CREATE FUNCTION apply_batch(
  ops uuid[], kinds smallint[], wanted uuid[], leases bigint[], holders uuid[], ttls bigint[]
) RETURNS TABLE (place bigint, code int, granted bigint)
LANGUAGE sql AS $$
  WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(ops, kinds, wanted, leases, holders, ttls)
      WITH ORDINALITY AS a (op, kind, resource, lease, holder, ttl, place)
  ),
  seen AS MATERIALIZED (
    SELECT a.place, CASE WHEN same THEN o.code::int ELSE 13 END AS code,
      CASE WHEN same AND a.kind = 2 THEN o.reservation END AS granted
    FROM asked a JOIN operations o ON o.id = a.op,
      LATERAL (SELECT o.kind = a.kind AND o.holder = a.holder AND o.resource IS NOT DISTINCT FROM a.resource
        AND o.ttl_ms IS NOT DISTINCT FROM a.ttl AND (a.kind = 2 OR o.reservation = a.lease) AS same) compared
  ),
  fresh AS MATERIALIZED (
    SELECT * FROM asked a WHERE NOT EXISTS (SELECT FROM seen WHERE seen.place = a.place)
  ),
  first AS (
    SELECT DISTINCT ON (resource) * FROM fresh WHERE kind = 2 ORDER BY resource, place
  ),
  taken AS (
    UPDATE resources r SET reservation = nextval('reservation_ids')
    FROM first f WHERE r.id = f.resource AND r.reservation IS NULL
    RETURNING f.place, f.resource, f.holder, f.ttl, r.reservation
  ),
  made AS (
    INSERT INTO reservations
    SELECT reservation, resource, holder, 1, now() + ttl * interval '1 millisecond' FROM taken
  ),
  moved AS (
    UPDATE reservations v SET state = f.kind - 1
    FROM fresh f
    WHERE f.kind IN (3, 4) AND v.id = f.lease AND v.holder = f.holder AND (v.state = 1 OR (v.state = 2 AND f.kind = 4))
    RETURNING f.place, f.kind, v.id, v.resource
  ),
  freed AS (
    UPDATE resources r SET reservation = NULL FROM moved m
    WHERE m.kind = 4 AND r.id = m.resource AND r.reservation = m.id
  ),
  answered AS (
    SELECT f.*, t.reservation AS granted, CASE
        WHEN t.place IS NOT NULL OR m.place IS NOT NULL THEN 1
        WHEN f.kind <> 2 THEN refusal(f.lease, f.holder)
        WHEN EXISTS (SELECT FROM resources r WHERE r.id = f.resource) THEN 6
        ELSE 5 END AS code
    FROM fresh f LEFT JOIN taken t ON t.place = f.place LEFT JOIN moved m ON m.place = f.place
  ),
  stored AS (
    INSERT INTO operations
    SELECT op, kind, code, resource, CASE WHEN kind = 2 THEN granted ELSE lease END, holder, ttl FROM answered
  )
  SELECT place, code, granted FROM answered
  UNION ALL
  SELECT place, code, granted FROM seen
  ORDER BY place
$$;
