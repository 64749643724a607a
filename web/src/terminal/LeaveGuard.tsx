import { Button, Modal, Text } from '@mantine/core';
import { useEffect } from 'react';
import { useBlocker } from 'react-router';

/** Asks before a running shell is left, whichever way. */
export function LeaveGuard({ active, name }: { active: boolean; name: string }) {
  const blocker = useBlocker(active);

  useEffect(() => {
    if (!active) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [active]);

  // The shell may end by itself while the question stands.
  useEffect(() => {
    if (!active && blocker.state === 'blocked') blocker.proceed();
  }, [active, blocker]);

  return (
    <Modal
      opened={blocker.state === 'blocked'}
      onClose={() => blocker.reset?.()}
      title="Leave this terminal?"
      withCloseButton={false}
    >
      <Text size="sm" c="dimmed">
        The shell on {name} ends, and so does every program still running in it.
      </Text>
      <div className="dialog-actions">
        <Button variant="default" data-autofocus onClick={() => blocker.reset?.()}>
          Stay
        </Button>
        <Button color="danger" onClick={() => blocker.proceed?.()}>
          End and leave
        </Button>
      </div>
    </Modal>
  );
}
