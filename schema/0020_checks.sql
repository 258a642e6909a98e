-- Go under a quote: a service judges the words before any credit is held.

alter table drafts add column is_check boolean not null default false;
alter table drafts add column has_script boolean not null default true;
alter table drafts add column asked_at timestamptz not null default clock_timestamp();
comment on column drafts.is_check is 'The turn at hand judges the words of a quote that Go was pressed for; else it writes a script';
comment on column drafts.has_script is 'A script was ordered; false: nothing but Go''s words were ever looked at';
comment on column drafts.asked_at is 'Since when somebody waits for the turn at hand';
comment on table drafts is 'What is done for a quoted job before it is paid: its script is written or shown (the script itself is the job''s story), or its words are judged';
