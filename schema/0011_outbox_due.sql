-- The next cards to be sent are found from the oldest on, however many wait.

create index outbox_due on outbox(network, id) where state = 'pending';
