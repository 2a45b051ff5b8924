-- Nothing asks for it: under which name a file was sent stands with how the other side has it.
ALTER TABLE uploads DROP COLUMN sent_as;
