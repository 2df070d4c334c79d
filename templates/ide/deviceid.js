// Stands in for the package that keeps an id for telemetry in the person's home directory.
"use strict";

exports.getDeviceId = async () => require("node:crypto").randomUUID();
