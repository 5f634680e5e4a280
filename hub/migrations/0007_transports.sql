-- How a browser reaches a passkey, as it said when the key was made: a hint for the next time, never a condition.

-- Words by blanks: ble, hybrid, internal, nfc, smart-card, usb; NULL where the browser did not say.
ALTER TABLE passkeys ADD COLUMN transports TEXT;
