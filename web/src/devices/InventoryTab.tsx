import { Card, Facts } from '../layout/Card.tsx';
import { useDevice } from './DevicePage.tsx';
import { valueText } from './facts.ts';
import classes from './InventoryTab.module.css';

export function Component() {
  const device = useDevice();
  const rows = device.attributes
    .filter((attribute) => attribute.scope === 'inventory')
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, value }) => [name, <code key={name}>{valueText(value)}</code>] as const);
  return (
    <Card title="Inventory" note="What the device tells about itself.">
      {rows.length > 0 ? (
        <Facts rows={rows} />
      ) : (
        <p className={classes.none}>
          {device.status === 'accepted'
            ? 'The device has not sent its inventory yet.'
            : 'A device sends its inventory once it is accepted.'}
        </p>
      )}
    </Card>
  );
}
