import { DatabaseSync } from "@photostructure/sqlite";

import { testDriver } from "./driver.mjs";

testDriver("@photostructure/sqlite", DatabaseSync);
