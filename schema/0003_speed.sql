-- How fast the voice of a person's videos speaks.

alter table settings add column speed int not null default 0
    check (speed = 0 or speed between 80 and 130);
comment on column settings.speed is 'Percent of the voice''s own speed; 0: as it is';
