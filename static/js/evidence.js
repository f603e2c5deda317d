// One evidence item's own page.
import { charts } from "./charts.js";

charts();
