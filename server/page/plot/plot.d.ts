// The types of plot.js, for the checker.
export {default as Plot} from 'uplot'
export type {Options, Series, AlignedData} from 'uplot'
