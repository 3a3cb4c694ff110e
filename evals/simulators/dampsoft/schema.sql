-- What lies below the views: nobody but the server's owner reads it. Every value is kept as the screen shows it.
CREATE SCHEMA ds;

CREATE TABLE ds.patient (
    "PATNR" integer PRIMARY KEY, "NAME" text, "VORNAME" text, "GEBDAT" text, "GESCHL" text, "STRASSE" text, "PLZ" text,
    "ORT" text, "TELPRIV" text, "TELMOBIL" text, "EMAIL" text, "VERSART" text, "KASSENNR" text, "VERSNR" text, "AENDDAT" text
);
CREATE TABLE ds.termin (
    "TERMINNR" integer PRIMARY KEY, "PATNR" integer, "BEHANDLER" integer, "ZIMMER" integer, "DATUM" text, "VON" text,
    "BIS" text, "TERMART" text, "STATUS" text, "BEMERK" text, "AENDDAT" text
);
CREATE TABLE ds.behandler (
    "BEHNR" integer PRIMARY KEY, "NAME" text, "VORNAME" text, "TITEL" text, "KUERZEL" text, "AKTIV" text
);
CREATE TABLE ds.zimmer ("ZIMMERNR" integer PRIMARY KEY, "BEZ" text, "AKTIV" text);
CREATE TABLE ds.leistung (
    "LEISTNR" integer PRIMARY KEY, "PATNR" integer, "DATUM" text, "ZAHN" text, "FLAECHEN" text, "GEBNR" text,
    "ANZAHL" text, "FAKTOR" text, "BETRAG" text, "BEHANDLER" integer, "AENDDAT" text
);
CREATE TABLE ds.rechnung (
    "RECHNR" integer PRIMARY KEY, "PATNR" integer, "DATUM" text, "ART" text, "BETRAG" text, "BEZAHLT" text, "STATUS" text,
    "AENDDAT" text
);
CREATE TABLE ds.dokument (
    "DOKNR" integer PRIMARY KEY, "PATNR" integer, "DATUM" text, "TITEL" text, "PFAD" text, "TYP" text, "AENDDAT" text
);
CREATE TABLE ds.version ("VERSION" text);

-- What came in through the write views, for the control address.
CREATE TABLE ds.schreiblog (
    nr bigserial PRIMARY KEY, vorgang text NOT NULL, eingang jsonb NOT NULL, zeile jsonb NOT NULL
);
-- While `haelt` is true a write waits before anything is written (fault write.unconfirmed, `written: false`).
CREATE TABLE ds.einstellung (haelt boolean NOT NULL);
INSERT INTO ds.einstellung VALUES (false);

CREATE SEQUENCE ds.patnr;
CREATE SEQUENCE ds.terminnr;

CREATE FUNCTION ds.weise_ab(sicht text, spalte text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% ist nicht zulaessig', sicht, spalte
        USING ERRCODE = 'check_violation', TABLE = sicht, COLUMN = spalte;
END $$;

CREATE FUNCTION ds.warte() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT haelt FROM ds.einstellung) THEN
        PERFORM pg_sleep(60);
    END IF;
END $$;

-- Assigns the number and the day of the change; a number is never given twice and never changes.
CREATE FUNCTION ds.schreibe_patient() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ds, pg_temp AS $$
DECLARE
    eingang jsonb := to_jsonb(NEW);
    neu ds.patient;
BEGIN
    PERFORM ds.warte();
    IF coalesce(NEW."NAME", '') = '' THEN PERFORM ds.weise_ab('w_patient', 'NAME'); END IF;
    IF coalesce(NEW."GEBDAT", '') !~ '^(\d\d\.\d\d\.\d{4})?$' THEN PERFORM ds.weise_ab('w_patient', 'GEBDAT'); END IF;
    IF coalesce(NEW."GESCHL", 'x') NOT IN ('m', 'w', 'd', 'x') THEN PERFORM ds.weise_ab('w_patient', 'GESCHL'); END IF;
    IF coalesce(NEW."VERSART", 'SZ') NOT IN ('GKV', 'PKV', 'SZ', 'BG', 'BH') THEN
        PERFORM ds.weise_ab('w_patient', 'VERSART');
    END IF;
    NEW."PATNR" := CASE TG_OP WHEN 'INSERT' THEN nextval('ds.patnr') ELSE OLD."PATNR" END;
    neu := jsonb_populate_record(NULL::ds.patient, to_jsonb(NEW) || jsonb_build_object('AENDDAT', to_char(now(), 'DD.MM.YYYY')));
    DELETE FROM ds.patient WHERE "PATNR" = neu."PATNR";
    INSERT INTO ds.patient SELECT neu.*;
    INSERT INTO ds.schreiblog (vorgang, eingang, zeile) VALUES (TG_OP || ' w_patient', eingang, to_jsonb(neu));
    RETURN NEW;
END $$;

CREATE FUNCTION ds.schreibe_termin() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ds, pg_temp AS $$
DECLARE
    eingang jsonb := to_jsonb(NEW);
    neu ds.termin;
BEGIN
    PERFORM ds.warte();
    NEW."STATUS" := coalesce(NEW."STATUS", 'G');
    IF NOT EXISTS (SELECT FROM ds.patient p WHERE p."PATNR" = NEW."PATNR") THEN PERFORM ds.weise_ab('w_termin', 'PATNR'); END IF;
    IF NEW."BEHANDLER" IS NOT NULL AND NOT EXISTS (SELECT FROM ds.behandler b WHERE b."BEHNR" = NEW."BEHANDLER") THEN
        PERFORM ds.weise_ab('w_termin', 'BEHANDLER');
    END IF;
    IF NEW."ZIMMER" IS NOT NULL AND NOT EXISTS (SELECT FROM ds.zimmer z WHERE z."ZIMMERNR" = NEW."ZIMMER") THEN
        PERFORM ds.weise_ab('w_termin', 'ZIMMER');
    END IF;
    IF coalesce(NEW."DATUM", '') !~ '^\d\d\.\d\d\.\d{4}$' THEN PERFORM ds.weise_ab('w_termin', 'DATUM'); END IF;
    IF coalesce(NEW."VON", '') !~ '^\d\d:\d\d$' THEN PERFORM ds.weise_ab('w_termin', 'VON'); END IF;
    IF coalesce(NEW."BIS", '') !~ '^\d\d:\d\d$' OR NEW."BIS" <= NEW."VON" THEN PERFORM ds.weise_ab('w_termin', 'BIS'); END IF;
    IF NEW."STATUS" NOT IN ('G', 'B', 'W', 'E', 'A', 'N') THEN PERFORM ds.weise_ab('w_termin', 'STATUS'); END IF;
    NEW."TERMINNR" := CASE TG_OP WHEN 'INSERT' THEN nextval('ds.terminnr') ELSE OLD."TERMINNR" END;
    neu := jsonb_populate_record(NULL::ds.termin, to_jsonb(NEW) || jsonb_build_object('AENDDAT', to_char(now(), 'DD.MM.YYYY')));
    DELETE FROM ds.termin WHERE "TERMINNR" = neu."TERMINNR";
    INSERT INTO ds.termin SELECT neu.*;
    INSERT INTO ds.schreiblog (vorgang, eingang, zeile) VALUES (TG_OP || ' w_termin', eingang, to_jsonb(neu));
    RETURN NEW;
END $$;

CREATE VIEW public.w_patient AS SELECT
    "PATNR", "NAME", "VORNAME", "GEBDAT", "GESCHL", "STRASSE", "PLZ", "ORT", "TELPRIV", "TELMOBIL", "EMAIL", "VERSART",
    "KASSENNR", "VERSNR" FROM ds.patient;
CREATE VIEW public.w_termin AS SELECT
    "TERMINNR", "PATNR", "BEHANDLER", "ZIMMER", "DATUM", "VON", "BIS", "TERMART", "STATUS", "BEMERK" FROM ds.termin;
CREATE TRIGGER schreibe INSTEAD OF INSERT OR UPDATE ON public.w_patient FOR EACH ROW EXECUTE FUNCTION ds.schreibe_patient();
CREATE TRIGGER schreibe INSTEAD OF INSERT OR UPDATE ON public.w_termin FOR EACH ROW EXECUTE FUNCTION ds.schreibe_termin();
