"""Invoices and credit notes as documents: what is printed, the PDF, the Factur-X XML, and the mentions that law asks for."""
