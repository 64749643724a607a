/** Draft of the shapes the API's own document will give. */

export interface AuthSet {
  id: string;
  status: DeviceStatus;
  fingerprint: string;
  requested_at: string;
  /** Accepting this set takes the place of a key this device is already known by. */
  replaces_key: boolean;
}

export type DeviceStatus = 'accepted' | 'pending' | 'rejected' | 'preauthorized' | 'noauth';

export interface Attribute {
  name: string;
  value: unknown;
  scope: string;
}

export interface Device {
  id: string;
  name: string;
  status: DeviceStatus;
  connected: boolean;
  connected_since?: string | null;
  link_changed_at?: string | null;
  checked_in_at?: string | null;
  fingerprint?: string | null;
  identity: Record<string, unknown>;
  attributes: Attribute[];
  group?: string | null;
  created_at: string;
  updated_at: string;
  auth_sets: AuthSet[];
}

export interface Me {
  id: string;
  email: string;
  roles: string[];
  permissions: string[];
}

export interface ServerInfo {
  version: string;
  public_url?: string | null;
}
