-- Finding the next event takes as long with five thousand that wait as with one. The table is empty
-- most of the time, and a planner that remembers it so would sort all that came with a sudden crowd.

create function next_event(networks text[]) returns setof events language plpgsql
set enable_sort = off as $$
begin
    return query select e.* from events e
        where e.network = any(networks) and e.not_before <= clock_timestamp()
        and not exists (select 1 from events p where p.lane = e.lane and p.id < e.id)
        and not exists (select 1 from events p where p.lane2 = e.lane and p.id < e.id)
        and not exists (select 1 from events p where p.lane = e.lane2 and p.id < e.id)
        and not exists (select 1 from events p where p.lane2 = e.lane2 and p.id < e.id)
        order by e.id limit 1 for update of e skip locked;
end $$;
comment on function next_event is 'The oldest event that is due, first of its lanes and in nobody''s hands; its row is locked';
