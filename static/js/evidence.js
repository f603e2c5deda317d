// One evidence item's own page.
import { charts } from "./charts.js";
import { unmasking } from "./unmasking.js";

charts();
unmasking();
