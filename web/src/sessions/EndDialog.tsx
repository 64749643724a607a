import { Button, Modal, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import * as calls from '../api/calls.ts';
import { isStatus } from '../api/errors.ts';
import * as queries from '../api/queries.ts';
import type { Session } from '../api/types.ts';
import { ErrorNote } from '../layout/ErrorNote.tsx';
import { sessionName } from './facts.ts';

/** Ending takes with it whatever still runs, and whoever is at work there: that is said first. */
export function EndDialog(props: { session: Session; mine: boolean; onClose: () => void }) {
  const { session, mine, onClose } = props;
  const client = useQueryClient();
  const ending = useMutation({
    mutationFn: () => calls.endSession(session.id),
    onSuccess: () => {
      notifications.show({ message: `The session on ${session.device_name} is ended.` });
      onClose();
    },
    onError: (error) => {
      // It has ended by itself while the question stood.
      if (isStatus(error, 404)) onClose();
    },
    onSettled: () => client.invalidateQueries({ queryKey: queries.sessionLists }),
  });
  const others = session.viewers.map(({ email }) => email);
  return (
    <Modal opened onClose={onClose} title="End this session?">
      <Text size="sm" c="dimmed">
        The shell {sessionName(session) !== '' && <strong>{sessionName(session)}</strong>} on{' '}
        {session.device_name}
        {mine ? '' : ` belongs to ${session.owner.email}. It`} ends for good, and so does every
        program still running in it.
        {others.length > 0 && ` ${present(others)} at work in it.`}
        {!session.device_connected &&
          ' The device is away: the shell ends as soon as it is back, and nobody can open it until then.'}
      </Text>
      {ending.error && !isStatus(ending.error, 404) && (
        <ErrorNote>{ending.error.message}</ErrorNote>
      )}
      <div className="dialog-actions">
        <Button variant="default" data-autofocus onClick={onClose}>
          Keep it
        </Button>
        <Button color="danger" loading={ending.isPending} onClick={() => ending.mutate()}>
          End session
        </Button>
      </div>
    </Modal>
  );
}

function present(people: string[]): string {
  const unique = [...new Set(people)];
  return unique.length === 1 ? `${unique[0]} is` : `${unique.join(', ')} are`;
}
