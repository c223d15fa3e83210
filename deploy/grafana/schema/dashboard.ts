// The types of our dashboards: those of @grafana/schema, with the options and the
// style of each kind of panel.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfig, Panel, RowPanel } from "@grafana/schema";
import type * as chart from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";

// JSON holds the values of enums, not their names.
type Plain<T> = T extends string ? `${T}` : T extends number ? number : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

// Prometheus' part of a query is in no package.
type Query = DataQuery & {
  expr: string;
  legendFormat: string;
  editorMode: "code";
  range: boolean;
  instant: boolean;
  exemplar: boolean;
  format?: "table";
};

type Kind<Type extends string, Options, Style> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Type;
  options: Options;
  fieldConfig: { defaults: Omit<FieldConfig, "custom"> & { custom?: Style }; overrides: [] };
  targets: Query[];
};

type Shown = Kind<"timeseries", chart.Options, chart.FieldConfig> | Kind<"stat", stat.Options, never> | Kind<"table", table.Options, table.FieldConfig>;

export type Board = Plain<
  Omit<Dashboard, "panels" | "annotations"> & {
    panels: (RowPanel | Shown)[];
    annotations: { list: (AnnotationQuery & { expr: string; titleFormat: string; step: string })[] };
  }
>;
