// Stands in for what code-server loads at every start and uses only for passwords, certificates,
// configuration files and updates, none of which the IDE has.
"use strict";
